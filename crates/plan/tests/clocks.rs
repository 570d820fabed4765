//! Moments at any place of the calendar: the clock's, `--at`, and those of certificates, files and the ledger. No plan
//! panics because of one, and a clock is judged by the evidence.

use crate::world;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use proptest::prelude::*;
use trustmason_keystore::{Certificate, Digest, EntryKey};
use trustmason_plan::clock::{ClockVerdict, Evidence, TOLERANCE, Validity, judge};
use trustmason_plan::ledger::{
    Ack, Confirmation, ConfirmationKind, HandOff, Ledger, Moment, PendingRestart, PlacedEntry, PlacedKey, Predecessor,
    RunRecord,
};
use trustmason_plan::observed::{Observed, SourceLook, StagedKey, StagedLook, StoreLook};
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::wire::Document;
use trustmason_plan::{constraints, mint, text};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Accept, Exported, KeystoreFormat, LeadTime, Pkcs12Scheme, Rotation, Subject};
use world::{DAY, Disk, NOW, Pair, Seed, World, host, jks, now, pool};

/// The limits of calendars and encodings: both ends of jiff's range, of UTCTime (RFC 5280 §4.1.2.5) and of years with
/// four digits, and 1970.
const CORNERS: &[&str] = &[
    "-009999-01-02T01:59:59Z",
    "-009999-01-02T01:59:59.000000001Z",
    "-000001-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "1949-12-31T23:59:59Z",
    "1950-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00Z",
    "2038-01-19T03:14:08Z",
    "2049-12-31T23:59:59Z",
    "2050-01-01T00:00:00Z",
    "9999-01-01T00:00:00Z",
    "9999-12-30T00:00:00Z",
    "9999-12-30T22:00:00.999999999Z",
];

fn corner(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn moment() -> impl Strategy<Value = Timestamp> {
    let anywhere = (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), 0..1_000_000_000i32);
    let anywhere = anywhere.prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap_or(Timestamp::MAX));
    let days = (-4000..4000i64).prop_map(|day| Timestamp::from_second(NOW + day * DAY).unwrap());
    prop_oneof![2 => prop::sample::select(CORNERS).prop_map(corner), 1 => anywhere, 2 => days]
}

#[test]
fn the_corners_are_the_ends_of_the_range() {
    assert_eq!(corner(CORNERS[0]), Timestamp::MIN);
    assert_eq!(corner(CORNERS[CORNERS.len() - 1]), Timestamp::MAX);
}

/// Certificates of the first host's identity that begin and end at every limit that a certificate can name.
fn corners() -> &'static [Pair] {
    static MADE: OnceLock<Vec<Pair>> = OnceLock::new();
    MADE.get_or_init(|| {
        let years = [(0, 1949), (1, 9999), (1949, 1950), (1950, 2049), (1969, 2050), (2050, 9999), (9999, 9999)];
        years.iter().map(|(from, to)| dated(*from, *to)).collect()
    })
}

/// A certificate that is valid from the first second of one year to the last second of another.
fn dated(from: i32, to: i32) -> Pair {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let name = host(0).to_string();
    let mut params = rcgen::CertificateParams::new(vec![name.clone()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 12, 31) + std::time::Duration::from_secs(86_399);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Pair { certificate: Arc::new(Certificate::parse(&der).unwrap()), pkcs8: key.serialize_der() }
}

#[test]
fn certificates_reach_from_the_year_0_to_the_last_second_of_9999() {
    let ends: BTreeSet<i64> = corners().iter().map(|pair| pair.certificate.not_after()).collect();
    assert_eq!(ends.last(), Some(&mint::LAST));
    let begin = corners().iter().map(|pair| pair.certificate.not_before()).min().unwrap();
    assert_eq!(text::time(begin), "0000-01-01T00:00:00Z");
}

/// A case in which everything with a date has any date.
#[derive(Clone, Debug)]
struct Case {
    now: Timestamp,
    at: Option<Timestamp>,
    ledger: Vec<Timestamp>,
    staged: Timestamp,
    modified: Option<i64>,
    current: usize,
    next: usize,
    policy: u32,
    until: &'static str,
    rotation: Rotation,
}

fn case() -> impl Strategy<Value = Case> {
    let modified = prop_oneof![
        1 => Just(None),
        1 => Just(Some(i64::MIN)),
        1 => Just(Some(i64::MAX)),
        3 => moment().prop_map(|at| Some(at.as_second()))
    ];
    let rotation = prop_oneof![Just(Rotation::Staged), Just(Rotation::Immediate)];
    let until = prop::sample::select(vec!["0000-01-01", "2026-06-01", "9999-12-30", "9999-12-31"]);
    let policy = prop_oneof![Just(0), Just(1), Just(60), Just(36_500), Just(u32::MAX)];
    (
        moment(),
        prop::option::of(moment()),
        prop::collection::vec(moment(), 8),
        moment(),
        modified,
        0..8usize,
        0..7usize,
        policy,
        until,
        rotation,
    )
        .prop_map(|(now, at, ledger, staged, modified, current, next, policy, until, rotation)| Case {
            now,
            at,
            ledger,
            staged,
            modified,
            current,
            next,
            policy,
            until,
            rotation,
        })
}

/// The record of a run that wrote one store.
fn ran(id: RunId, started: Timestamp, finished: Timestamp) -> RunRecord {
    RunRecord {
        id,
        started,
        finished: Some(finished),
        unclear: BTreeSet::new(),
        journal: None,
        plan: Digest::of(b"plan"),
        written: 1,
        failed: 0,
        skipped: 0,
        undoes: None,
        undone_by: None,
        pruned: false,
        hosts: Vec::new(),
        side: None,
    }
}

/// A ledger with these moments, one of each kind.
fn ledger(at: &[Timestamp]) -> Ledger {
    let mut ledger = Ledger::default();
    let print = |i: usize| pool().good[i][0].print();
    let id = |name: &str| IdentityId::new(host(0), name);
    let store = StoreId::new(host(1), "cacerts");
    let placed = PlacedEntry { sha256: print(0), rule: "T1".to_owned(), run: world::run(), at: at[0] };
    ledger
        .placed
        .entry(store.clone())
        .or_default()
        .insert(PlacedKey::from(&EntryKey::Alias("h0.acme.example_wsm".into())), placed);
    let gone =
        Predecessor { identity: id("wsm"), replaced_by: print(0), run: Some(world::run()), at: at[1], staged: true };
    ledger.predecessors.insert(pool().expired[0].print(), gone);
    let confirmed = Confirmation {
        at: at[2],
        by: "op".to_owned(),
        kind: ConfirmationKind::Observed,
        holds: [print(0)].into(),
        gone: [].into(),
        mirror: None,
    };
    let pack = HandOff { pack: Digest::of(b"pack"), written: at[3], confirmed: Some(confirmed), replaces: None };
    ledger.handoffs.insert(HandOffTarget::Store(StoreId::new(host(1), "keystore")), pack);
    let pending = PendingRestart { since: at[4], run: Some(world::run()) };
    ledger.restarts.insert(ServiceId::new(host(0), "wsm"), pending);
    ledger.acks.insert(
        ServiceId::new(host(1), "tomcat"),
        Ack {
            at: at[5],
            by: "op".to_owned(),
            read: [(store, [print(0)].into())].into(),
            seen: [].into(),
            presents: [].into(),
        },
    );
    ledger.runs.push(ran(world::run(), at[6], at[7]));
    ledger
}

fn world(case: &Case) -> (World, Observed) {
    let mut world = World::new(2);
    let topology = &mut world.topology;
    let policy = &mut topology.policy;
    policy.warn_before = LeadTime::Days(case.policy);
    policy.grace_days = case.policy;
    policy.observation_max_age_days = case.policy;
    for def in topology.identities.values_mut() {
        def.rotation = case.rotation;
        def.renew_before = LeadTime::Days(case.policy);
        def.validity_days = case.policy;
    }
    let by_hand = StoreId::new(host(1), "keystore");
    let of = Exported::Keystore { format: KeystoreFormat::Jks, scheme: Pkcs12Scheme::Java8 };
    topology.stores.get_mut(&by_hand).unwrap().reach = world::exported(&by_hand, of);
    let accept = Accept {
        finding: "expiring".to_owned(),
        store: None,
        sha256: None,
        until: case.until.to_owned(),
        why: "we know".to_owned(),
    };
    topology.accept.push(accept);
    if let Some(pair) = corners().get(case.current) {
        let key = Seed::Key("wsm".to_owned(), pair.clone(), "changeit");
        world.disk.insert(StoreId::new(host(0), "keystore"), Disk::File(jks(&[key])));
        let look = world::found(&corners()[case.next]);
        world.sources.insert(Subject::Identity(IdentityId::new(host(0), "iis")), look);
    }
    world.ledger = ledger(&case.ledger);
    world.options.at = case.at;
    let mut observed = world.look();
    for look in observed.stores.values_mut() {
        if let StoreLook::Readable(facts) = look {
            facts.modified = case.modified;
        }
    }
    let staged = StagedLook::Key(StagedKey {
        certificate: Arc::clone(&corners()[case.next].certificate),
        opens: true,
        path: "staging".into(),
        since: case.staged,
    });
    observed.staging.insert(IdentityId::new(host(0), "wsm"), staged);
    (world, observed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// A plan can be made at any moment from facts with any dates, and it says its own time as given.
    #[test]
    fn a_plan_is_made_at_any_moment(case in case()) {
        let (world, observed) = world(&case);
        let at = case.at.unwrap_or(case.now);
        let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, at);
        let document = Document::of(&plan, "test");
        let text = serde_json::to_string(&document).unwrap();
        let read: Document = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.created.parse::<Timestamp>().unwrap(), at);
        prop_assert!(document.differences(&read).is_empty());
        for id in plan.mints.keys() {
            let order = mint::order(&world.topology.identities[id], at);
            prop_assert!(order.not_before <= order.not_after && order.not_after <= mint::LAST);
        }
        for finding in &plan.findings {
            prop_assert!(!finding.message.is_empty());
        }
        let verdict = judge(case.now, &Evidence::of(&world.topology, &observed));
        prop_assert_eq!(verdict == ClockVerdict::Right, verdict.to_string().is_empty());
    }

    /// Certificates are judged at any moment: ended after their end, not valid before their start.
    #[test]
    fn a_certificate_is_judged_at_any_moment(now in moment(), number in 0..7usize, days in 0..=u32::MAX) {
        let mut def = World::new(1).topology.identities[&IdentityId::new(host(0), "wsm")].clone();
        def.renew_before = LeadTime::Days(days);
        let certificate = &corners()[number].certificate;
        let faults = constraints::judge(certificate, &def, now);
        let has = |wanted: fn(&constraints::Violation) -> bool| faults.iter().any(wanted);
        prop_assert_eq!(has(|f| matches!(f, constraints::Violation::Expired { .. })), certificate.not_after() < now.as_second());
        prop_assert_eq!(has(|f| matches!(f, constraints::Violation::NotYetValid { .. })), certificate.not_before() > now.as_second());
        prop_assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
    }
}

#[test]
fn what_is_accepted_until_the_last_day_of_the_calendar_is_accepted() {
    let mut world = World::new(2);
    let [store, ..] = [StoreId::new(host(0), "cacerts")];
    world.disk.insert(store, Disk::File(jks(&[Seed::Trusted("x".to_owned(), pool().retired[0].clone())])));
    world.sources.insert(
        Subject::Identity(IdentityId::new(host(0), "iis")),
        SourceLook::Found { certificate: Arc::clone(&pool().expired[0].certificate), path: "x".into() },
    );
    let accepted = |world: &mut World, until: &str, now: &str| {
        world.topology.accept = vec![Accept {
            finding: "expired".to_owned(),
            store: None,
            sha256: None,
            until: until.to_owned(),
            why: "we know".to_owned(),
        }];
        world.now = corner(now);
        world.plan().findings.iter().any(|finding| finding.accepted)
    };
    assert!(accepted(&mut world, "9999-12-31", "2026-06-01T00:00:00Z"));
    assert!(accepted(&mut world, "9999-12-31", "9999-12-30T22:00:00Z"));
    // The end day itself still counts, the next day does not.
    assert!(accepted(&mut world, "2026-06-01", "2026-06-01T23:59:59Z"));
    assert!(!accepted(&mut world, "2026-06-01", "2026-06-02T00:00:00Z"));
}

fn remembered(at: Timestamp) -> Option<Moment> {
    Some(Moment { at, what: "something happened".to_owned() })
}

fn valid(begins: i64, ends: i64) -> Validity {
    Validity { begins, ends }
}

fn is_ahead(verdict: &ClockVerdict) -> bool {
    matches!(verdict, ClockVerdict::Ahead { .. })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let seconds =
        || prop_oneof![4 => moment().prop_map(Timestamp::as_second), 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let remembered = prop::option::of(moment().prop_map(|at| Moment { at, what: "something happened".to_owned() }));
    let validity = (seconds(), seconds()).prop_map(|(one, other)| valid(one.min(other), one.max(other)));
    (remembered, prop::option::of(seconds()), prop::collection::vec(validity, 0..5))
        .prop_map(|(remembered, seen, in_use)| Evidence { remembered, seen, in_use })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// A clock is behind exactly if something was remembered more than five minutes later.
    #[test]
    fn behind_is_said_of_what_is_remembered(now in moment(), evidence in evidence()) {
        let later = evidence.remembered.as_ref().is_some_and(|m| m.at.as_second() - now.as_second() > TOLERANCE);
        prop_assert_eq!(matches!(judge(now, &evidence), ClockVerdict::Behind { .. }), later);
    }

    /// A clock is early exactly if at least two certificates are in use, none of them is valid within the next five
    /// minutes, and nothing later was remembered.
    #[test]
    fn early_is_said_only_if_nothing_is_valid_yet(now in moment(), evidence in evidence()) {
        let begun = |one: &Validity| one.begins.saturating_sub(now.as_second()) <= TOLERANCE;
        let none = evidence.in_use.len() >= 2 && !evidence.in_use.iter().any(begun);
        let verdict = judge(now, &evidence);
        let behind = matches!(verdict, ClockVerdict::Behind { .. });
        prop_assert_eq!(matches!(verdict, ClockVerdict::Early { .. }), none && !behind);
    }

    /// A clock is ahead only if at least two certificates were valid at the newest evidence, all of them have ended
    /// since, and that evidence is more than a day old.
    #[test]
    fn ahead_is_said_only_if_everything_ended_at_once(now in moment(), evidence in evidence()) {
        if let ClockVerdict::Ahead { now: said, seen, ended, last } = judge(now, &evidence) {
            prop_assert_eq!(said, now);
            let signs = evidence.seen.iter().copied().chain(evidence.remembered.iter().map(|m| m.at.as_second()));
            prop_assert_eq!(signs.max(), Some(seen));
            prop_assert!(now.as_second().saturating_sub(seen) > DAY);
            let then: Vec<i64> = evidence.in_use.iter().map(|one| one.ends).filter(|end| *end >= seen).collect();
            prop_assert!(ended >= 2 && ended == then.len());
            prop_assert_eq!(then.iter().max(), Some(&last));
            prop_assert!(last < now.as_second());
        }
    }

    /// Evidence of this day or a later one ends the suspicion; so does a certificate that has not ended.
    #[test]
    fn nothing_is_said_where_something_speaks_for_the_day(now in moment(), evidence in evidence(), ago in 0..=DAY) {
        let today = Evidence { seen: Some(now.as_second().saturating_sub(ago)), ..evidence.clone() };
        prop_assert!(!is_ahead(&judge(now, &today)));
        let mut valid = evidence;
        valid.in_use.push(self::valid(i64::MIN, now.as_second().max(valid.seen.unwrap_or(i64::MIN))));
        prop_assert!(!is_ahead(&judge(now, &valid)));
    }

    /// More evidence never makes a clock look ahead, whether it is older or newer.
    #[test]
    fn a_sign_of_life_never_speaks_against_a_clock(now in moment(), evidence in evidence(), sign in any::<i64>(), run in moment()) {
        let before = judge(now, &evidence);
        let seen = evidence.seen.map_or(sign, |seen| seen.max(sign));
        let more = Evidence { seen: Some(seen), ..evidence.clone() };
        if evidence.seen.is_some() || evidence.remembered.is_some() {
            prop_assert!(is_ahead(&before) || !is_ahead(&judge(now, &more)));
            // The ledger can only show that the clock is behind.
            let newest = evidence.remembered.as_ref().map_or(run, |m| m.at.max(run));
            let ran = Evidence { remembered: remembered(newest), ..evidence };
            prop_assert!(is_ahead(&before) || !is_ahead(&judge(now, &ran)));
        }
    }

    /// Once a person has confirmed a clock, the ledger no longer speaks against it.
    #[test]
    fn a_ledger_that_was_brought_to_the_present_is_not_ahead_of_it(now in moment(), at in prop::collection::vec(moment(), 8)) {
        let mut ledger = ledger(&at);
        let newest = ledger.newest().unwrap();
        prop_assert_eq!(newest.at, *at.iter().max().unwrap());
        let before = ledger.clone();
        ledger.not_after(now);
        prop_assert_eq!(ledger.newest().unwrap().at, newest.at.min(now));
        if newest.at <= now {
            prop_assert_eq!(&ledger, &before);
        }
        let evidence = Evidence { remembered: ledger.newest(), ..Evidence::default() };
        prop_assert_eq!(judge(now, &evidence), ClockVerdict::Right);
    }
}

#[test]
fn evidence_is_what_is_presented_and_whatever_has_a_date() {
    let world = World::new(3);
    let mut observed = world.look();
    let evidence = Evidence::of(&world.topology, &observed);
    // For each host: the key in its store and the exported certificate.
    let mut ends: Vec<i64> =
        (0..3).flat_map(|i| pool().good[i][..2].iter().map(|p| p.certificate.not_after())).collect();
    let mut told: Vec<i64> = evidence.in_use.iter().map(|one| one.ends).collect();
    ends.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, ends);
    assert_eq!((evidence.seen, evidence.remembered), (Some(NOW), None));
    for look in observed.stores.values_mut() {
        if let StoreLook::Readable(facts) = look {
            facts.modified = None;
        }
    }
    let newest = (0..3).map(|i| pool().good[i][1].certificate.not_before()).max();
    assert_eq!(Evidence::of(&world.topology, &observed).seen, newest, "the newest certificate began then");
}

#[test]
fn an_estate_at_rest_is_judged_day_by_day() {
    let mut world = World::new(3);
    world.ledger.runs.push(ran(RunId::parse("20260601T000000.000Z-00000000").unwrap(), now(), now()));
    let after = world.ledger.clone();
    let verdict = |world: &World, day: i64| {
        let evidence = Evidence::of(&world.topology, &world.look());
        judge(Timestamp::from_second(NOW + day * DAY).unwrap(), &evidence)
    };
    for day in [0, 1, 30, 899] {
        assert_eq!(verdict(&world, day), ClockVerdict::Right, "day {day}: a certificate is valid");
    }
    let ahead = verdict(&world, 2000);
    assert!(matches!(ahead, ClockVerdict::Ahead { ended: 6, .. }), "{ahead:?}");
    assert_eq!(
        ahead.to_string(),
        "the clock of this machine says 2031-11-22T00:00:00Z, which is 2000 days after the newest date found here, \
         2026-06-01T00:00:00Z; by this clock all 6 certificates that were valid then have ended, the last one on 2028-11-18"
    );
    world.ledger.runs.clear();
    let early = verdict(&world, -901);
    assert_eq!(
        early.to_string(),
        "the clock of this machine says 2023-12-13T00:00:00Z; by this clock none of the 6 certificates in use is valid yet; the first \
         one begins 24 hours later, at 2023-12-14T00:00:00Z"
    );
    assert_eq!(verdict(&world, -900), ClockVerdict::Right);
    world.ledger = after;
    let behind = verdict(&world, -3);
    assert_eq!(
        behind.to_string(),
        "the clock of this machine says 2026-05-29T00:00:00Z, which is 3 days before 2026-06-01T00:00:00Z, when run \
         20260601T000000.000Z-00000000 ended"
    );
}
