//! The two languages as tables: the estate spec (`docs/spec.md` explains it) and the role profile. The tables are data
//! only. The reader, the "did you mean" and the JSON Schemas use them.

mod estate;
mod role;

pub(crate) use estate::SPEC;
pub(crate) use role::PROFILE;

use crate::lexeme::Lexeme;
use crate::shape::{Field, KnownFields, Shape, optional, record};

const TEXT: Shape = Shape::Scalar(Lexeme::Text);
const NAME: Shape = Shape::Scalar(Lexeme::Name);
const FQDN: Shape = Shape::Scalar(Lexeme::Fqdn);
const DAYS: Shape = Shape::Scalar(Lexeme::Days);
const LEAD_TIME: Shape = Shape::Scalar(Lexeme::LeadTime);
const COUNT: Shape = Shape::Scalar(Lexeme::Count);
const SHA256: Shape = Shape::Scalar(Lexeme::Sha256);
const PAIR: Shape = Shape::Scalar(Lexeme::Pair);
const HOST_PATH: Shape = Shape::Scalar(Lexeme::HostPath);
const OLDER_ALIAS: Shape = Shape::Scalar(Lexeme::OlderAlias);
const VARIABLE: Shape = Shape::Scalar(Lexeme::Variable);

/// Kinds of keys that trustmason can create.
pub(crate) const KEYS: &[&str] = &["rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384"];
/// Signature hashes.
pub(crate) const HASHES: &[&str] = &["sha256", "sha384", "sha512"];
/// How a new PKCS#12 file is protected.
pub(crate) const SCHEMES: &[&str] = &["java8", "modern"];
/// Store formats that a profile or an override can declare.
pub(crate) const FORMATS: &[&str] = &["jks", "jceks", "pkcs12", "pem", "pem-dir", "pem-pair", "windows"];
/// Syntaxes of options files.
const SYNTAXES: &[&str] = &["ini", "arguments", "batch"];
/// The values that a setting can take from its store.
const EXPECTED: &[&str] = &["path", "format", "password", "unset"];
/// How a host is reached if no folder stands for its disks.
const REACHES: &[&str] = &["none", "this-machine"];
/// The sides of a connection that the subject of a rule can be.
const PURPOSES: &[&str] = &["server", "client", "both"];
/// How changes reach a store.
const WRITES: &[&str] = &["direct", "hand-off"];

/// The ids of all findings (`accept:` names one).
pub(crate) const FINDINGS: &[&str] = &[
    "missing",
    "stale",
    "alias-conflict",
    "retired",
    "distrusted",
    "name-mismatch",
    "expired",
    "not-yet-valid",
    "key-password-mismatch",
    "chain-incomplete",
    "store-reset",
    "shadowed-store",
    "option-wrong",
    "issuer-mismatch",
    "rotation-waiting",
    "hand-off-waiting",
    "expiring",
    "wrong-alias",
    "wrong-store",
    "weak-key",
    "weak-signature",
    "eku-missing",
    "client-auth-lost",
    "public-issuer",
    "san-missing",
    "host-is-ca",
    "shared-key",
    "private-key-in-trust",
    "jvm-invisible",
    "limited-trust",
    "observation-old",
    "restart-pending",
    "ahead",
    "served-differs",
    "unmanaged",
    "duplicate",
    "options-unobserved",
    "issuer-withheld",
];

/// The system stores of Windows that trustmason writes.
const SYSTEM_STORE: Shape = Shape::Words(&["Root", "CA", "My"]);

static PLACEMENT: KnownFields = record(
    "a placement",
    &[
        optional("root", SYSTEM_STORE, "where self-signed certificates go"),
        optional("intermediate", SYSTEM_STORE, "where authorities below a root go"),
        optional("leaf", SYSTEM_STORE, "where all others go"),
    ],
);

const LITERAL: Field = optional("literal", TEXT, "the value itself; only for the public default `changeit`");
const ENV: Field = optional("env", VARIABLE, "an environment variable");
const FILE: Field = optional("file", TEXT, "a file whose first line is the value");
const PROPERTIES: Field = optional("properties", HOST_PATH, "a Java properties file on the store's host");
const KEY: Field = optional("key", TEXT, "the key in the properties file");
const COMMAND: Field = optional("command", Shape::List(&TEXT), "a program and its arguments; the first line it prints");
const EMPTY: Field = optional("empty", Shape::Flag, "`true`: the store's password is the empty one");

static SECRET: KnownFields = KnownFields {
    what: "a secret",
    fields: &[LITERAL, ENV, FILE, PROPERTIES, KEY, COMMAND, EMPTY],
    one_of: &["literal", "env", "file", "properties", "command", "empty"],
};

static PROFILE_SECRET: KnownFields = KnownFields {
    what: "a secret",
    fields: &[
        LITERAL,
        ENV,
        FILE,
        PROPERTIES,
        KEY,
        COMMAND,
        EMPTY,
        optional(
            "unstated",
            Shape::OneOrMore(&TEXT),
            "no place is known: the ways in which an estate can name one, for the message of the blocked store",
        ),
    ],
    one_of: &["literal", "env", "file", "properties", "command", "empty", "unstated"],
};
