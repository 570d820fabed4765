#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use super::*;

#[test]
fn the_examples_on_its_page_are_lines_of_it() {
    let page = include_str!("../../../../docs/audit.md");
    let examples: Vec<&str> = page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    for example in &examples {
        let entry: AuditEntry = serde_json::from_str(example).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), *example);
    }
    let said: BTreeSet<AuditEvent> =
        examples.iter().map(|text| serde_json::from_str::<AuditEntry>(text).unwrap().event).collect();
    assert_eq!(
        said,
        [
            AuditEvent::Run,
            AuditEvent::Rollback,
            AuditEvent::Change,
            AuditEvent::Confirm,
            AuditEvent::Collect,
            AuditEvent::Clock
        ]
        .into()
    );
}

#[test]
fn a_line_that_is_there_is_not_added_again_and_half_a_line_is() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk) = (State::at(dir.path()), Disk::new());
    let audit = Audit::of(&disk, &state);
    let store = StoreId::parse("ads.acme.example/cacerts").unwrap();
    let line = |reason: &str| AuditEntry {
        reason: Some(reason.to_owned()),
        ..AuditEntry::new(AuditEvent::Change, Timestamp::UNIX_EPOCH, "anna").of_store(&store)
    };
    let (one, two) = (line("one"), line("two"));
    audit.append(&[one.clone(), one.clone()]).unwrap();
    // Two equal lines are two changes; a third one is missing.
    audit.complete(&[one.clone(), one.clone(), one.clone(), two.clone()]).unwrap();
    let all = [one.clone(), one.clone(), one, two];
    assert_eq!(read(&state).unwrap(), all);
    let text = std::fs::read(state.audit()).unwrap();
    std::fs::write(state.audit(), text.get(..text.len() - 9).unwrap()).unwrap();
    audit.complete(&all).unwrap();
    assert_eq!(read(&state).unwrap(), all);
}
