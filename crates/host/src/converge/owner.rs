//! Refuses a state folder that only another account may enter, with a message that says more than the system's error
//! would.

use std::path::PathBuf;

use crate::state::State;

/// The state folder may be entered by another account only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the state folder {} belongs to uid {owner}, and only that account can open it; you are uid {own}; run trustmason as \
     uid {owner}, for example with `sudo -u`",
    folder.display()
)]
pub struct ForeignState {
    /// The state folder.
    folder: PathBuf,
    /// The account (uid) that owns the state folder.
    owner: u32,
    /// The account (uid) that this process runs as.
    own: u32,
}

/// Refuses a state folder that only another account may enter.
#[cfg(unix)]
pub(super) fn is_ours(state: &State) -> Result<(), ForeignState> {
    use crate::disk::{self, Owner};
    let Ok(Some(folder)) = disk::facts_if_there(state.root()) else { return Ok(()) };
    let Owner { mode, uid: Some(owner), .. } = folder.owner() else { return Ok(()) };
    judge(state, owner, mode, rustix::process::geteuid().as_raw())
}

/// Other systems have no such accounts.
#[cfg(not(unix))]
pub(super) fn is_ours(_state: &State) -> Result<(), ForeignState> {
    Ok(())
}

/// Root may enter every folder. If the folder gives its group or others any permission, the system decides.
#[cfg(unix)]
fn judge(state: &State, owner: u32, mode: u32, own: u32) -> Result<(), ForeignState> {
    if owner == own || own == 0 || mode & 0o077 != 0 {
        return Ok(());
    }
    Err(ForeignState { folder: state.root().to_owned(), owner, own })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_of_another_account_says_whose_it_is() {
        let of = |owner, mode, own| judge(&State::at("/srv/estate/.trustmason"), owner, mode, own);
        let why = of(1001, 0o40_700, 1002).map_or_else(|foreign| foreign.to_string(), |()| String::new());
        assert!(
            why.contains("/srv/estate/.trustmason") && why.contains("uid 1001") && why.contains("sudo -u"),
            "{why}"
        );
        assert_eq!(of(1001, 0o40_700, 1001), Ok(()));
        assert_eq!(of(1001, 0o40_700, 0), Ok(()), "root may");
        assert_eq!(of(1001, 0o40_770, 1002), Ok(()), "the system decides");
    }
}
