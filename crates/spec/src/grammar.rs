//! The two languages as tables: the estate spec (`docs/spec.md` explains it at length) and the role profile. The reader,
//! the "did you mean" and the JSON Schemas all come from here.

use crate::lexeme::Lexeme;
use crate::shape::{Field, Record, Shape, may, must, record};

const TEXT: Shape = Shape::Scalar(Lexeme::Text);
const NAME: Shape = Shape::Scalar(Lexeme::Name);
const FQDN: Shape = Shape::Scalar(Lexeme::Fqdn);
const DAYS: Shape = Shape::Scalar(Lexeme::Days);
const SHA256: Shape = Shape::Scalar(Lexeme::Sha256);
const PAIR: Shape = Shape::Scalar(Lexeme::Pair);
const HOST_PATH: Shape = Shape::Scalar(Lexeme::HostPath);
const VARIABLE: Shape = Shape::Scalar(Lexeme::Variable);

/// Key kinds that can be made.
pub(crate) const KEYS: &[&str] = &["rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384"];
/// Signature hashes.
pub(crate) const HASHES: &[&str] = &["sha256", "sha384", "sha512"];
/// Store formats a profile or an override can declare.
pub(crate) const FORMATS: &[&str] = &["jks", "jceks", "pkcs12", "pem", "pem-dir", "pem-pair"];
/// How changes reach a store.
const WRITES: &[&str] = &["direct", "hand-off"];

/// Every finding there is (`accept:` names one).
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
    "weak-key",
    "weak-signature",
    "eku-missing",
    "san-missing",
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
];

/// The estate spec.
pub(crate) static SPEC: Record = record(
    "an estate spec",
    &[
        must(
            "trustmason",
            Shape::Words(&["1"]),
            "version of this language, 1",
        ),
        must("estate", NAME, "the estate's name"),
        must(
            "profile",
            Shape::OneOrMore(&TEXT),
            "a built-in profile, the path of one's own, or a list of them",
        ),
        may(
            "state",
            TEXT,
            "folder of journal, ledger, staging, backups and lock",
        ),
        may(
            "access",
            Shape::Either(&Shape::Words(&["none"]), &ACCESS),
            "how this machine reaches the hosts' disks",
        ),
        may(
            "certificates_dir",
            TEXT,
            "folder where certificates exported by hand are dropped",
        ),
        may(
            "secrets",
            Shape::Map(Lexeme::Name, &Shape::Record(&SECRET)),
            "passwords, by reference",
        ),
        may(
            "identity",
            Shape::Record(&IDENTITY),
            "how identities are made",
        ),
        may(
            "authorities",
            Shape::Map(Lexeme::Name, &Shape::Record(&AUTHORITY)),
            "certification authorities",
        ),
        must(
            "hosts",
            Shape::Map(Lexeme::Fqdn, &Shape::Record(&HOST)),
            "the hosts, by full name",
        ),
        may(
            "retired",
            Shape::List(&FQDN),
            "hosts that left; trust that names only these leaves",
        ),
        may(
            "distrust",
            Shape::List(&Shape::Record(&DISTRUST)),
            "certificates removed wherever they are found",
        ),
        may(
            "certificates",
            Shape::Map(Lexeme::Name, &Shape::Record(&ANCHOR)),
            "certificates that belong to no host",
        ),
        may(
            "trust",
            Shape::List(&Shape::Record(&TRUST)),
            "trust beyond the profile's",
        ),
        may(
            "rules",
            Shape::Map(Lexeme::Pair, &Shape::Record(&TWEAK)),
            "narrow, switch off or re-alias rules, by PROFILE/RULE",
        ),
        may(
            "stores",
            Shape::Map(Lexeme::Pair, &Shape::Record(&OVERRIDE)),
            "store overrides, by ROLE/STORE, FQDN/STORE or a glob",
        ),
        may(
            "accept",
            Shape::List(&Shape::Record(&ACCEPT)),
            "findings we live with, for a time",
        ),
        may("policy", Shape::Record(&POLICY), "estate-wide limits"),
    ],
);

static ACCESS: Record = record(
    "access",
    &[
        must(
            "root",
            TEXT,
            "folder that stands for the host's disks, `{fqdn}` and `{host}` allowed",
        ),
        may(
            "drive",
            TEXT,
            "how a drive is called below it, `{letter}$` for admin shares",
        ),
    ],
);

static SECRET: Record = Record {
    what: "a secret",
    fields: &[
        may(
            "literal",
            TEXT,
            "the value itself; only for the public default `changeit`",
        ),
        may("env", VARIABLE, "an environment variable"),
        may("file", TEXT, "a file whose first line it is"),
        may(
            "properties",
            HOST_PATH,
            "a Java properties file on the store's host",
        ),
        may("key", TEXT, "the key in the properties file"),
        may(
            "command",
            Shape::List(&TEXT),
            "a program and its arguments; the first line it prints",
        ),
    ],
    one_of: &["literal", "env", "file", "properties", "command"],
};

static IDENTITY: Record = record(
    "an identity setting",
    &[
        may("issuer", NAME, "`self-signed`, or the name of an authority"),
        may(
            "subject",
            Shape::Record(&SUBJECT),
            "subject attributes beside the CN",
        ),
        may("key", Shape::Words(KEYS), "key kind and size"),
        may("signature", Shape::Words(HASHES), "signature hash"),
        may("validity", DAYS, "how long a new certificate is valid"),
        may(
            "renew_before",
            DAYS,
            "how long before its end it is made anew",
        ),
        may(
            "rotation",
            Shape::Words(&["staged", "immediate"]),
            "make before break, or at once",
        ),
    ],
);

static SUBJECT: Record = record(
    "a subject",
    &[
        may("OU", TEXT, "organisational unit"),
        may("O", TEXT, "organisation"),
        may("L", TEXT, "locality"),
        may("ST", TEXT, "state or province"),
        may("C", Shape::Scalar(Lexeme::Country), "country, two letters"),
    ],
);

static ANCHOR: Record = record(
    "a certificate",
    &[
        must("file", TEXT, "the file, PEM or DER"),
        may("sha256", SHA256, "its fingerprint, as a pin"),
    ],
);

static AUTHORITY: Record = record(
    "an authority",
    &[
        must("root", Shape::Record(&ANCHOR), "its root certificate"),
        may(
            "intermediates",
            Shape::List(&Shape::Record(&ANCHOR)),
            "its intermediates, top down",
        ),
        may("requests_dir", TEXT, "folder where requests are put"),
        may("inbox", TEXT, "folder where replies are dropped"),
        may("sign_with", TEXT, "its private key; for labs"),
    ],
);

static HOST: Record = record(
    "a host",
    &[
        must(
            "role",
            Shape::OneOrMore(&NAME),
            "its role, or a list of roles",
        ),
        may("side", Shape::Words(&["a", "b"]), "its side"),
        may("cluster", NAME, "the cluster it is a node of"),
        may(
            "publisher",
            Shape::Flag,
            "whether it is its cluster's publisher",
        ),
        may(
            "vars",
            Shape::Map(Lexeme::Variable, &TEXT),
            "values for the profile's variables",
        ),
        may(
            "labels",
            Shape::Map(Lexeme::Name, &TEXT),
            "labels for `same:` rules",
        ),
        may(
            "certificates",
            Shape::Map(Lexeme::Name, &Shape::Record(&HOST_CERTIFICATE)),
            "certificate files and further names, by identity",
        ),
        may(
            "identity",
            Shape::Record(&IDENTITY),
            "how this host's identities are made",
        ),
        may(
            "identities",
            Shape::Map(Lexeme::Name, &Shape::Record(&IDENTITY)),
            "how one identity is made, by its name",
        ),
        may("profile", Shape::OneOrMore(&TEXT), "a profile of its own"),
        may("formerly", Shape::List(&FQDN), "names it had before"),
        may(
            "access",
            Shape::Either(&Shape::Words(&["none"]), &ACCESS),
            "how its disk is reached, or `none`",
        ),
    ],
);

static HOST_CERTIFICATE: Record = record(
    "a host's certificate",
    &[
        may("file", TEXT, "the exported certificate"),
        may(
            "names",
            Shape::List(&FQDN),
            "names it carries beside the host's own",
        ),
    ],
);

static DISTRUST: Record = record(
    "a distrusted certificate",
    &[
        must("sha256", SHA256, "its fingerprint"),
        must("why", TEXT, "why it must go"),
    ],
);

static TRUST: Record = Record {
    what: "a trust entry",
    fields: &[
        must("store", Shape::OneOrMore(&PAIR), "ROLE/STORE or FQDN/STORE"),
        may("certificate", NAME, "a name under `certificates:`"),
        may(
            "subject",
            Shape::OneOrMore(&PAIR),
            "ROLE/IDENTITY or FQDN/IDENTITY",
        ),
        may(
            "alias",
            TEXT,
            "the alias, `{fqdn}` and `{host}` of the subject allowed",
        ),
        may("was", Shape::List(&TEXT), "aliases it had before"),
        must("why", TEXT, "what it is for"),
    ],
    one_of: &["certificate", "subject"],
};

static TWEAK: Record = record(
    "a rule setting",
    &[
        may("enabled", Shape::Flag, "false switches the rule off"),
        may(
            "same",
            Shape::OneOrMore(&NAME),
            "labels (or `side`, `cluster`) that truster and subject must share",
        ),
        may("alias", TEXT, "another alias"),
        may("why", TEXT, "why"),
    ],
);

static OVERRIDE: Record = record(
    "a store override",
    &[
        may("path", HOST_PATH, "where it is"),
        may("certificate", HOST_PATH, "of a pair: the certificate file"),
        may("key", HOST_PATH, "of a pair: the key file"),
        may("format", Shape::Words(FORMATS), "its format"),
        may(
            "password",
            Shape::Either(&NAME, &SECRET),
            "a name under `secrets:`, or the way to the password",
        ),
        may(
            "ownership",
            Shape::Words(&["shared", "exclusive"]),
            "exclusive: every trusted entry nobody declared leaves",
        ),
        may("create", Shape::Flag, "whether it may be created"),
    ],
);

static ACCEPT: Record = record(
    "an accepted finding",
    &[
        must("finding", Shape::Words(FINDINGS), "the finding's id"),
        may("store", PAIR, "a glob over FQDN/STORE"),
        may("sha256", SHA256, "the certificate"),
        must("until", Shape::Scalar(Lexeme::Date), "the last day"),
        must("why", TEXT, "why"),
    ],
);

static POLICY: Record = record(
    "a policy",
    &[
        may(
            "warn_before",
            DAYS,
            "certificates that end within this are `expiring`",
        ),
        may(
            "patience",
            DAYS,
            "how long a wait is information before it is an error",
        ),
        may(
            "observation_max_age",
            DAYS,
            "how old a mirror or a claim may be",
        ),
    ],
);

/// The role profile.
pub(crate) static PROFILE: Record = record(
    "a profile",
    &[
        must(
            "trustmason-profile",
            Shape::Words(&["1"]),
            "version of this language, 1",
        ),
        must("name", NAME, "the profile's name"),
        may(
            "extends",
            TEXT,
            "the profile it is made from: equal names here replace its stores, identities, services and rules",
        ),
        may("needs", Shape::Record(&NEEDS), "what an estate must supply"),
        may(
            "secrets",
            Shape::Map(Lexeme::Name, &Shape::Record(&SECRET)),
            "where passwords are by default; the estate's `secrets:` win",
        ),
        may(
            "roles",
            Shape::Map(Lexeme::Name, &Shape::Record(&ROLE)),
            "the roles",
        ),
        may(
            "rules",
            Shape::Map(Lexeme::Name, &Shape::Record(&RULE)),
            "who trusts whom",
        ),
        // Home of YAML anchors that several roles share; read by nobody.
        may(
            "shared",
            Shape::Map(Lexeme::Name, &Shape::Record(&SHARED)),
            "definitions that roles take over with YAML anchors",
        ),
    ],
);

static NEEDS: Record = record(
    "a need",
    &[may(
        "certificates",
        Shape::List(&NAME),
        "names that must stand under `certificates:`",
    )],
);

static SHARED: Record = record("a shared definition", ROLE_FIELDS);

static ROLE: Record = record("a role", ROLE_FIELDS);

static ROLE_FIELDS: &[Field] = &[
    may("about", TEXT, "what this machine is"),
    may(
        "cluster",
        Shape::Flag,
        "its hosts are nodes of clusters with one publisher",
    ),
    may(
        "vars",
        Shape::Map(Lexeme::Variable, &Shape::Record(&VAR)),
        "variables of its paths",
    ),
    may(
        "stores",
        Shape::Map(Lexeme::Name, &Shape::Record(&STORE)),
        "its stores",
    ),
    may(
        "identities",
        Shape::Map(Lexeme::Name, &Shape::Record(&PROFILE_IDENTITY)),
        "what it presents",
    ),
    may(
        "services",
        Shape::Map(Lexeme::Name, &Shape::Record(&SERVICE)),
        "what is restarted on it",
    ),
];

static VAR: Record = record(
    "a variable",
    &[
        may("default", TEXT, "its value where a host sets none"),
        may("about", TEXT, "what it is"),
    ],
);

static STORE: Record = record(
    "a store",
    &[
        may(
            "path",
            HOST_PATH,
            "where it is; of a hand-off store, where its mirror is dropped",
        ),
        may("certificate", HOST_PATH, "of a pair: the certificate file"),
        may("key", HOST_PATH, "of a pair: the key file"),
        must("format", Shape::Words(FORMATS), "its format"),
        may("password", NAME, "the secret that opens it"),
        may(
            "write",
            Shape::Words(WRITES),
            "direct (default), or hand-off: only people write it",
        ),
        may(
            "create",
            Shape::Flag,
            "whether it may be created where its folder exists",
        ),
        may(
            "vendor_entries",
            Shape::Flag,
            "whether the vendor ships entries of its own in it",
        ),
        may(
            "shadows",
            Shape::List(&HOST_PATH),
            "files that are used instead of it, if they exist",
        ),
        may(
            "restart",
            Shape::List(&NAME),
            "services that read it at start",
        ),
        may(
            "steps",
            Shape::List(&TEXT),
            "what a person does to bring a pack in",
        ),
        may("source", TEXT, "the document that names it"),
    ],
);

static PROFILE_IDENTITY: Record = record(
    "an identity",
    &[
        may("store", NAME, "the store that holds its key"),
        may("alias", TEXT, "the alias of its key entry"),
        may(
            "write",
            Shape::Words(WRITES),
            "direct: made in its store; hand-off: a person makes it",
        ),
        may(
            "exported_as",
            Shape::List(&TEXT),
            "names of its exported certificate, in any case",
        ),
        may(
            "served_at",
            Shape::Scalar(Lexeme::Port),
            "TCP port it is served at",
        ),
        may(
            "constraints",
            Shape::Record(&CONSTRAINTS),
            "what the role demands of it",
        ),
        may(
            "restart",
            Shape::List(&NAME),
            "services restarted when it changes",
        ),
        may(
            "export_steps",
            Shape::List(&TEXT),
            "what a person does to export it",
        ),
        may(
            "renew_steps",
            Shape::List(&TEXT),
            "what a person does to make it anew",
        ),
        must("source", TEXT, "the document that names it"),
    ],
);

static CONSTRAINTS: Record = record(
    "a constraint",
    &[
        may("key", Shape::Words(KEYS), "key kind and least size"),
        may(
            "signature",
            Shape::List(&Shape::Words(HASHES)),
            "hashes allowed",
        ),
        may(
            "eku",
            Shape::List(&Shape::Words(&["serverAuth", "clientAuth"])),
            "extended key usages needed, if it has any",
        ),
        may(
            "cn_is_fqdn",
            Shape::Flag,
            "whether the CN must be the full host name",
        ),
    ],
);

static SERVICE: Record = record(
    "a service",
    &[must("name", TEXT, "the name people know it by")],
);

static RULE: Record = record(
    "a rule",
    &[
        must("truster", Shape::OneOrMore(&PAIR), "ROLE/STORE"),
        must("subject", Shape::OneOrMore(&PAIR), "ROLE/IDENTITY"),
        may("where", Shape::Record(&WHERE), "which subjects only"),
        may(
            "self",
            Shape::Flag,
            "whether a host trusts itself by this rule",
        ),
        may(
            "same",
            Shape::OneOrMore(&NAME),
            "labels (or `side`, `cluster`) that both must share",
        ),
        may(
            "alias",
            TEXT,
            "the alias; `{fqdn}`, `{host}` and `{identity}` are the subject's",
        ),
        may("was", Shape::List(&TEXT), "aliases older documents gave it"),
        must("why", TEXT, "what it is for"),
        must("source", TEXT, "the document"),
    ],
);

static WHERE: Record = record(
    "a condition",
    &[may(
        "publisher",
        Shape::Flag,
        "only publishers, or only others",
    )],
);
