//! The discretionary access list of a file or folder, which says who may use it. The list is text in the security
//! descriptor definition language (SDDL): a person can read it in a journal, and it is checked when it is read back.

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HLOCAL, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT,
    SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetSecurityDescriptorControl, GetSecurityDescriptorDacl, GetTokenInformation,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SE_DACL_PROTECTED, SECURITY_ATTRIBUTES, TOKEN_QUERY,
    TOKEN_USER, TokenUser, UNPROTECTED_DACL_SECURITY_INFORMATION,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::file::as_unsupported;
use crate::wide;

/// Memory that the system allocated, freed on drop.
struct Local(HLOCAL);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a call that allocates with LocalAlloc, and is freed once: here.
        let _null = unsafe { LocalFree(self.0) };
    }
}

impl Local {
    /// The text in the memory.
    fn text(&self, units: usize) -> String {
        // SAFETY: the call that gave the memory said that it holds this many UTF-16 units.
        wide::read(unsafe { std::slice::from_raw_parts(self.0.cast::<u16>(), units) })
    }
}

fn done(code: u32) -> io::Result<()> {
    if code == ERROR_SUCCESS { Ok(()) } else { Err(as_unsupported(io::Error::from_raw_os_error(code.cast_signed()))) }
}

fn truth(said: i32) -> io::Result<()> {
    if said == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads the access list of a file or folder.
///
/// # Errors
/// The list could not be read.
pub fn read(path: &Path) -> io::Result<String> {
    let path = wide::path(path)?;
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the name is NUL-terminated; parts that are not asked for may be null; `descriptor` is writable.
    done(unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor,
        )
    })?;
    let descriptor = Local(descriptor);
    let (mut text, mut units) = (null_mut(), 0);
    // SAFETY: the descriptor is the one the system just gave; the two results are writable.
    truth(unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            &raw mut units,
        )
    })?;
    Ok(Local(text.cast()).text(usize::try_from(units).unwrap_or_default()))
}

/// Gives a file an access list. A list that inherits from its folder goes on inheriting from the file's present folder.
///
/// # Errors
/// The text is no access list, or the system refused it.
pub fn set(path: &Path, list: &str) -> io::Result<()> {
    let descriptor = parsed(list)?;
    let path = wide::path(path)?;
    let (mut present, mut acl, mut defaulted) = (0, null_mut(), 0);
    // SAFETY: the descriptor was made by the system from text; the three results are writable.
    truth(unsafe { GetSecurityDescriptorDacl(descriptor.0, &raw mut present, &raw mut acl, &raw mut defaulted) })?;
    if present == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an access list without a list"));
    }
    let (mut control, mut revision) = (0, 0);
    // SAFETY: as above.
    truth(unsafe { GetSecurityDescriptorControl(descriptor.0, &raw mut control, &raw mut revision) })?;
    let inheritance = if control & SE_DACL_PROTECTED == 0 {
        UNPROTECTED_DACL_SECURITY_INFORMATION
    } else {
        PROTECTED_DACL_SECURITY_INFORMATION
    };
    // SAFETY: the name is NUL-terminated; `acl` points into the descriptor, which lives until the end of this function.
    done(unsafe {
        SetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | inheritance,
            null_mut(),
            null_mut(),
            acl,
            null(),
        )
    })
}

/// Creates a folder that only this user, the administrators and the system may use. Files created in it inherit this.
///
/// # Errors
/// The folder exists, or the system refused to create it.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let descriptor = parsed(&private(&user()?))?;
    let path = wide::path(path)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    // SAFETY: the name is NUL-terminated; attributes and descriptor live until the call returns.
    truth(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

/// A list that inherits nothing. The user, SYSTEM and the administrators have full access, also to everything in the
/// folder.
fn private(user: &str) -> String {
    format!("D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
}

fn parsed(list: &str) -> io::Result<Local> {
    let text = wide::text(list)?;
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text is NUL-terminated; the result is writable, its size is not asked for.
    truth(unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        )
    })?;
    Ok(Local(descriptor))
}

/// The security identifier of the user who runs this process, as text.
fn user() -> io::Result<String> {
    let mut token = null_mut();
    // SAFETY: the pseudo handle of this process needs no closing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the process handle is valid and the result writable.
    truth(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the token was just opened and nothing else closes it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // Room for the record and the longest identifier (68 bytes), aligned for the record's pointer.
    let mut room = [0u64; 16];
    let mut used = 0;
    // SAFETY: the buffer is writable and as long as said.
    truth(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            room.as_mut_ptr().cast(),
            u32::try_from(size_of_val(&room)).unwrap_or_default(),
            &raw mut used,
        )
    })?;
    // SAFETY: the call filled the buffer with this record, which is no larger than it and no more aligned.
    let record = unsafe { room.as_ptr().cast::<TOKEN_USER>().read() };
    let mut text = null_mut();
    // SAFETY: the identifier lies in `room`, which is still there; the result is writable.
    truth(unsafe { ConvertSidToStringSidW(record.User.Sid, &raw mut text) })?;
    let text = Local(text.cast());
    let start = text.0.cast::<u16>().cast_const();
    // SAFETY: the text is NUL-terminated, so every unit up to the NUL is within it.
    let length = (0..).map(|at| start.wrapping_add(at)).take_while(|unit| unsafe { **unit } != 0).count();
    Ok(text.text(length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn a_list_is_read_and_given() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::write(&one, b"x").unwrap();
        std::fs::write(&other, b"x").unwrap();
        set(&one, "D:P(A;;FA;;;BA)(A;;FR;;;WD)").unwrap();
        let list = read(&one).unwrap();
        assert!(list.starts_with("D:"), "{list}");
        set(&other, &list).unwrap();
        assert_eq!(read(&other).unwrap(), list);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        std::fs::write(&file, b"x").unwrap();
        for bad in ["nonsense", "D:(A;;", "", "O:BA", "D:\0"] {
            assert!(set(&file, bad).is_err(), "{bad:?}");
        }
        assert!(read(&dir.path().join("gone")).is_err());
    }

    #[test]
    fn a_private_folder_is_usable_by_us() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        make_private_dir(&folder).unwrap();
        assert_eq!(make_private_dir(&folder).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::write(folder.join("x"), b"x").unwrap();
        assert_eq!(std::fs::read(folder.join("x")).unwrap(), b"x");
        let user = user().unwrap();
        assert!(user.starts_with("S-1-"), "{user}");
        assert!(private(&user).contains(&user));
    }
}
