//! The planner: it compares the trust that a spec asks for with the keystores that were seen, and says what must change.
//!
//! Everything here is pure. The caller passes the clock in and reads the files, and the same arguments give the same plan,
//! byte for byte. Nothing here writes a store.
//!
//! [`plan`] is the one entrance. It *settles* each subject (which certificate its edges ask for), compares each store with
//! the edges that end in it, and puts the parts together. [`verify()`] checks a plan against itself. [`wire`] is the plan
//! as JSON, and [`pack`] the folder that a person takes to a store which this program cannot write.
//!
//! ```
//! # use std::{collections::BTreeMap, path::Path, sync::Arc};
//! # use trustmason_keystore::{Certificate, Digest, Format};
//! # use trustmason_plan::observed::{Observed, SourceLook, StoreFacts, StoreLook};
//! # use trustmason_plan::outline::PlanOptions;
//! # use trustmason_spec::{name::StoreId, profile, topology::Subject};
//! // The spec: the Java of one host must trust the certificate of a proxy.
//! let text = "
//! trustmason: 1
//! estate: acme
//! profile: pcce-12.5
//! access: { root: './hosts/{fqdn}' }
//! hosts: { ads1.acme.example: { role: ads } }
//! certificates: { proxy: { file: proxy.pem } }
//! trust: [{ store: ads/cacerts, certificate: proxy, why: outbound proxy }]
//! ";
//! let spec = trustmason_spec::parse(text, "estate.yaml")?;
//! let profiles = profile::load(&spec, Path::new("."), |_| Err("there is no such file".to_owned()))?;
//! let topology = trustmason_spec::resolve(&spec, &profiles, Path::new("."))?.topology;
//!
//! // The facts, which the caller has read: the certificate, and the keystore, which has no entries.
//! # let made = rcgen::generate_simple_self_signed(vec!["proxy.acme.example".to_owned()])?;
//! # let certificate = Arc::new(Certificate::parse(made.cert.der())?);
//! # let facts = StoreFacts {
//! #     path: "hosts/ads1.acme.example/C/cacerts".to_owned(),
//! #     file: None,
//! #     sha256: Digest::of(b"an empty keystore"),
//! #     format: Format::Jks,
//! #     entries: Vec::new(),
//! #     system_entries: BTreeMap::new(),
//! #     keys: BTreeMap::new(),
//! #     remarks: Vec::new(),
//! #     needs_java_8u301: None,
//! #     modified: None,
//! #     written: None,
//! # };
//! let mut observed = Observed::default();
//! let proxy = Subject::Certificate("proxy".to_owned());
//! observed.sources.insert(proxy, SourceLook::Found { certificate, path: "proxy.pem".into() });
//! let cacerts = StoreId::parse("ads1.acme.example/cacerts")?;
//! observed.stores.insert(cacerts.clone(), StoreLook::Readable(Box::new(facts)));
//!
//! let now = "2026-06-01T00:00:00Z".parse()?;
//! let plan = trustmason_plan::plan(&topology, &observed, &PlanOptions::default(), now);
//! assert_eq!(plan.summary.import, 1);
//! assert_eq!(plan.changes[0].store, cacerts);
//! assert_eq!(plan.changes[0].to_string(), "+ import proxy");
//! assert_eq!(trustmason_plan::verify(&plan), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod assemble;
mod authority;
mod by_name;
pub mod change;
mod change_id;
pub mod clock;
pub mod constraints;
mod context;
mod counts;
mod course;
pub mod days;
mod diff;
pub mod finding;
pub mod handoff;
mod index;
mod java;
pub mod ledger;
pub mod lint;
pub mod markdown;
pub mod memory;
pub mod mint;
mod notice;
pub mod observed;
pub mod options;
pub mod outline;
mod overlap;
pub mod pack;
mod presence;
mod restart;
pub mod run_id;
mod served;
mod settle;
pub mod shell;
pub mod site;
mod status;
mod system_entry;
pub mod target;
pub mod text;
pub mod undo;
mod verify;
pub mod waits;
mod why;
pub mod wire;
pub mod work;

pub use assemble::plan;
pub use authority::{root_fault, widened};
pub use notice::notice;
pub use status::selects;
pub use verify::{Defect, verify};
pub use why::Why;
