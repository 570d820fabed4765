//! Compares a value with the one that it should be. If the text alone cannot tell, the answer says so.

/// How a written path compares with the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathComparison {
    /// The paths are the same.
    Same,
    /// The paths differ only in upper and lower case, on a system where that counts.
    OtherCase,
    /// The paths differ.
    Other,
    /// The answer depends on a variable, a working folder, a link or a short name.
    Unclear,
}

/// Compares two paths of one host. On Windows, case and the kind of slash do not count.
pub(crate) fn path(meant: &str, written: &str) -> PathComparison {
    if meant == written {
        return PathComparison::Same;
    }
    let written = written.strip_prefix(r"\\?\").unwrap_or(written);
    if !is_absolute(written) || written.contains(['%', '$', '!']) && !meant.contains(['%', '$', '!']) {
        return PathComparison::Unclear;
    }
    let windows = drive(meant).is_some();
    if windows != drive(written).is_some() {
        return PathComparison::Other;
    }
    let (Some(meant), Some(written)) = (steps(meant, windows), steps(written, windows)) else {
        return PathComparison::Unclear;
    };
    let alike =
        meant.len() == written.len() && meant.iter().zip(&written).all(|(a, b)| a.to_lowercase() == b.to_lowercase());
    match (meant == written, alike) {
        (true, _) => PathComparison::Same,
        (false, true) if windows => PathComparison::Same,
        (false, true) => PathComparison::OtherCase,
        (false, false) if windows && written.iter().any(|step| is_short(step)) => PathComparison::Unclear,
        (false, false) => PathComparison::Other,
    }
}

/// Whether a text that is no absolute path may become the right path when the product fills in a variable or puts its
/// working folder before the text.
pub(crate) fn may_become(meant: &str, written: &str) -> bool {
    let name = |path: &str| path.rsplit(['\\', '/']).next().unwrap_or_default().to_lowercase();
    !is_absolute(written) && (written.contains(['%', '$']) || name(written) == name(meant))
}

/// Whether a text is an absolute path.
pub(crate) fn is_absolute(text: &str) -> bool {
    drive(text).is_some() || text.starts_with('/') || text.starts_with(r"\\")
}

fn drive(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    (chars.next() == Some(':') && matches!(chars.next(), Some('\\' | '/'))).then_some(letter)
}

/// The steps of a path, the drive first. `None` if a step climbs and the text cannot tell where to: on a system with
/// links, only that system knows.
fn steps(path: &str, windows: bool) -> Option<Vec<&str>> {
    let mut steps = Vec::new();
    let separators: &[char] = if windows { &['\\', '/'] } else { &['/'] };
    for step in path.split(separators).filter(|step| !step.is_empty() && *step != ".") {
        match step {
            ".." if windows && steps.len() > 1 => drop(steps.pop()),
            ".." => return None,
            step => steps.push(step),
        }
    }
    Some(steps)
}

/// Whether a step is a short name such as `PROGRA~1`. Only the disk knows its long name.
fn is_short(step: &str) -> bool {
    step.split_once('~').is_some_and(|(_, tail)| tail.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a text is within two edits of a word, in any case: near enough to be meant, and to be no secret.
pub(crate) fn is_near(text: &str, word: &str) -> bool {
    text.len() <= word.len() + 2 && strsim::damerau_levenshtein(&text.to_lowercase(), &word.to_lowercase()) <= 2
}

/// Whether a text is the word of some product for a kind of store.
pub(crate) fn is_format(text: &str) -> bool {
    ["jks", "jceks", "pkcs12", "pem", "mscapi", "mscap", "pfx", "p12", "der"].contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_paths_are_compared_as_windows_does() {
        let meant = r"C:\Program Files\GCTI\etc\MYSTORE.jks";
        for same in [
            r"c:\program files\gcti\ETC\mystore.jks",
            "C:/Program Files/GCTI/etc/MYSTORE.jks",
            r"C:\\Program Files\\GCTI\\etc\\MYSTORE.jks",
            r"C:\Program Files\GCTI\.\bin\..\etc\MYSTORE.jks",
            r"\\?\C:\Program Files\GCTI\etc\MYSTORE.jks",
        ] {
            assert_eq!(path(meant, same), PathComparison::Same, "{same}");
        }
        for other in [r"D:\Program Files\GCTI\etc\MYSTORE.jks", r"C:\Program Files\GCTI\etc\MYSTORE.jk", "/opt/x"] {
            assert_eq!(path(meant, other), PathComparison::Other, "{other}");
        }
        for unclear in [r"C:\PROGRA~1\GCTI\etc\MYSTORE.jks", r"etc\MYSTORE.jks", r"%UCC%\etc\MYSTORE.jks", r"C:\%X%\y"]
        {
            assert_eq!(path(meant, unclear), PathComparison::Unclear, "{unclear}");
        }
    }

    #[test]
    fn elsewhere_case_counts() {
        assert_eq!(path("/opt/gwe/certificateCA.pem", "/opt//gwe/./certificateCA.pem"), PathComparison::Same);
        assert_eq!(path("/opt/gwe/certificateCA.pem", "/opt/gwe/certificateCa.pem"), PathComparison::OtherCase);
        assert_eq!(path("/opt/gwe/a.pem", "/opt/gwe/x/../a.pem"), PathComparison::Unclear, "x may be a link");
        assert_eq!(path("/opt/gwe/a.pem", r"\opt\gwe\a.pem"), PathComparison::Unclear);
        assert_eq!(path("/opt/gwe/a.pem", "/opt/gwe/b.pem"), PathComparison::Other);
    }

    #[test]
    fn what_is_near_a_word_is_short() {
        assert!(is_near("MSCAP", "MSCAPI") && is_near("pem", "PEM"));
        assert!(!is_near("hunter2", "JKS") && !is_near("JKShunter2", "JKS"));
    }
}
