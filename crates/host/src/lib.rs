//! Everything that touches the machine: this crate alone opens, reads and writes files, changes keystores, generates
//! keys, starts programs and asks services. It takes a declared estate ([`trustmason_spec::topology::Topology`]) and gives
//! facts, plans and outcomes. It never reads arguments and never prints.
//!
//! [`converge::Reconciler`] is the way in: it has what a run of one estate needs, and decides how a run goes on. Below
//! it, [`look::look`] turns a survey into plain facts and never fails as a whole. [`run::run`] does what a plan says,
//! store by store, and decides nothing. All files are written through [`disk::Disk`], so that a test can make each single
//! step fail. [`secret::Secrets`] turns a reference into a password. No error, journal or ledger contains a password or a
//! private key.
//!
//! # Example
//!
//! One host must trust one more certificate. The estate is looked at, planned, and brought to what its spec declares:
//!
//! ```
//! use trustmason_host::converge::{ApprovedPlan, Clock, Declared, Reconciler};
//! use trustmason_host::record::{approval::Approval, audit::Author};
//! use trustmason_plan::outline::PlanOptions;
//!
//! # use std::sync::Arc;
//! # use trustmason_keystore::{Certificate, Edits, Format, Image, NewEntry, Password, Store};
//! # #[derive(Debug)]
//! # struct Noon;
//! # impl Clock for Noon {
//! #     fn exactly(&self) -> jiff::Timestamp {
//! #         jiff::Timestamp::constant(1_795_348_800, 0)
//! #     }
//! # }
//! # fn root(name: &str) -> Result<Certificate, Box<dyn std::error::Error>> {
//! #     let mut parameters = rcgen::CertificateParams::new(Vec::new())?;
//! #     parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
//! #     parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
//! #     parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
//! #     parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
//! #     Ok(Certificate::parse(parameters.self_signed(&rcgen::KeyPair::generate()?)?.der())?)
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let base = folder.path();
//! # std::fs::create_dir_all(base.join("hosts/adsa.acme.example/C"))?;
//! # std::fs::write(base.join("proxy-root.pem"), trustmason_plan::pack::pem(&root("Proxy Root")?))?;
//! # let vendor = NewEntry::Trusted {
//! #     alias: Some("vendor".into()),
//! #     certificate: Arc::new(root("Vendor Root")?),
//! #     created_ms: 0,
//! # };
//! # let mut random = rand_core::UnwrapErr(getrandom::SysRng);
//! # let edits = Edits { add: vec![vendor], ..Edits::default() };
//! # let image = Store::create(Format::Jks).edit(&edits, &Password::new("changeit"), &mut random)?;
//! # let Image::File(bytes) = image else { unreachable!("a JKS is one file") };
//! # std::fs::write(base.join("hosts/adsa.acme.example/C/cacerts"), bytes)?;
//! let text = r"
//! trustmason: 1
//! estate: acme
//! profile: pcce-12.5
//! access: { root: './hosts/{fqdn}' }
//! hosts:
//!   adsa.acme.example: { role: ads, side: a }
//! stores:
//!   ads/cacerts: { path: 'C:\cacerts' }
//! certificates:
//!   proxy-root: { file: proxy-root.pem }
//! trust:
//!   - { store: ads/cacerts, certificate: proxy-root, why: outbound proxy }
//! ";
//! let spec = trustmason_spec::parse(text, "estate.yaml")?;
//! let profiles = trustmason_spec::profile::load(&spec, base, |_| Err("no profile file".to_owned()))?;
//! let topology = trustmason_spec::resolve(&spec, &profiles, base)?.topology;
//!
//! // `Noon` is a clock, as a caller provides one.
//! let declared = Declared { topology: &topology, inputs: &[] };
//! let reconciler = Reconciler::new(declared, Noon, "0.1.0");
//! let observation = reconciler.look(&mut |_event| ())?;
//! let plan = reconciler.plan(&observation, &PlanOptions::default());
//! assert_eq!(plan.changes.len(), 1);
//! assert!(!topology.state.exists(), "looking and planning write nothing");
//!
//! let mut lock = reconciler.lock()?;
//! let author = Author { who: "anna", approval: Approval::Auto };
//! let converged = reconciler.converge(ApprovedPlan { observation, plan, author }, &mut lock, &mut |_event| ())?;
//! assert!(converged.rounds.iter().all(|round| round.is_complete()));
//! assert!(converged.next.changes.is_empty());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;

pub mod clock;
pub mod converge;
pub mod disk;
pub mod endpoint;
pub mod fault;
pub mod live;
pub mod look;
mod machine;
pub mod mint;
mod parallel;
mod process;
pub mod record;
pub mod restart;
pub mod rollback;
pub mod run;
pub mod secret;
pub mod state;
pub mod volume;
pub mod word;
