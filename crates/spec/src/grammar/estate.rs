//! The table of the estate spec. The table is data only; `shape` does the checks.

use super::{
    COUNT, DAYS, FINDINGS, FORMATS, FQDN, HASHES, HOST_PATH, KEYS, LEAD_TIME, NAME, OLDER_ALIAS, PAIR, PLACEMENT,
    REACHES, SCHEMES, SECRET, SHA256, TEXT, WRITES,
};
use crate::lexeme::Lexeme;
use crate::shape::{KnownFields, Shape, optional, record, required};

/// All fields of an estate spec.
pub(crate) static SPEC: KnownFields = record(
    "an estate spec",
    &[
        required("trustmason", Shape::Words(&["1"]), "version of this language, 1"),
        required("estate", NAME, "the estate's name"),
        required(
            "profile",
            Shape::OneOrMore(&TEXT),
            "a built-in profile, the path of your own profile, or a list of them",
        ),
        optional("state", TEXT, "folder of journal, ledger, staging, backups and lock"),
        optional("access", Shape::Either(&Shape::Words(REACHES), &ACCESS), "how this machine reaches the hosts' disks"),
        optional("certificates_dir", TEXT, "folder for certificates that are exported by hand"),
        optional("secrets", Shape::Map(Lexeme::Name, &Shape::Record(&SECRET)), "passwords, by reference"),
        optional("identity", Shape::Record(&IDENTITY), "how certificates and keys of identities are made"),
        optional("authorities", Shape::Map(Lexeme::Name, &Shape::Record(&AUTHORITY)), "certification authorities"),
        required("hosts", Shape::Map(Lexeme::Fqdn, &Shape::Record(&HOST)), "the hosts, by full name"),
        optional(
            "retired",
            Shape::List(&FQDN),
            "hosts that left; trusted certificates that name only these hosts are deleted",
        ),
        optional("distrust", Shape::List(&Shape::Record(&DISTRUST)), "certificates that are removed from every store"),
        optional(
            "certificates",
            Shape::Map(Lexeme::Name, &Shape::Record(&ANCHOR)),
            "certificates that belong to no host",
        ),
        optional("trust", Shape::List(&Shape::Record(&TRUST)), "trust in addition to the rules of the profile"),
        optional(
            "rules",
            Shape::Map(Lexeme::Pair, &Shape::Record(&TWEAK)),
            "narrow, switch off or re-alias rules, by PROFILE/RULE",
        ),
        optional(
            "stores",
            Shape::Map(Lexeme::Pair, &Shape::Record(&OVERRIDE)),
            "store overrides, by ROLE/STORE, FQDN/STORE or a glob",
        ),
        optional(
            "services",
            Shape::Map(Lexeme::Pair, &Shape::Record(&SERVICE)),
            "how services are restarted, by ROLE/SERVICE, FQDN/SERVICE or a glob",
        ),
        optional("accept", Shape::List(&Shape::Record(&ACCEPT)), "findings that are accepted for a time"),
        optional("policy", Shape::Record(&POLICY), "estate-wide limits"),
    ],
);

static ACCESS: KnownFields = record(
    "access",
    &[
        required("root", TEXT, "folder that stands for the host's disks, `{fqdn}` and `{host}` allowed"),
        optional("drive", TEXT, "name of a drive in that folder, `{letter}$` for admin shares"),
    ],
);

static IDENTITY: KnownFields = record(
    "an identity setting",
    &[
        optional("issuer", NAME, "`self-signed`, or the name of an authority"),
        optional("subject", Shape::Record(&SUBJECT), "subject attributes beside the CN"),
        optional("key", Shape::Words(KEYS), "key kind and size"),
        optional("signature", Shape::Words(HASHES), "signature hash"),
        optional("validity", DAYS, "how long a new certificate is valid"),
        optional("renew_before", LEAD_TIME, "how long before its end a new one is made, or the share of its lifetime"),
        optional(
            "rotation",
            Shape::Words(&["staged", "immediate"]),
            "staged (trusted before it is used), or immediate",
        ),
    ],
);

static SUBJECT: KnownFields = record(
    "a subject",
    &[
        optional("OU", TEXT, "organisational unit"),
        optional("O", TEXT, "organisation"),
        optional("L", TEXT, "locality"),
        optional("ST", TEXT, "state or province"),
        optional("C", Shape::Scalar(Lexeme::Country), "country, two letters"),
    ],
);

static ANCHOR: KnownFields = record(
    "a certificate",
    &[required("file", TEXT, "the file, PEM or DER"), optional("sha256", SHA256, "its fingerprint, as a pin")],
);

static INTERMEDIATE: KnownFields = record(
    "an intermediate",
    &[
        required("file", TEXT, "the file, PEM or DER"),
        optional("sha256", SHA256, "its fingerprint, as a pin"),
        optional("as_anchor", Shape::Words(&["unconstrained"]), "trust it although Java stores drop its constraints"),
    ],
);

static AUTHORITY: KnownFields = record(
    "an authority",
    &[
        required("root", Shape::Record(&ANCHOR), "its root certificate"),
        optional("intermediates", Shape::List(&Shape::Record(&INTERMEDIATE)), "its intermediates, top down"),
        optional("requests_dir", TEXT, "folder where requests are put"),
        optional("inbox", TEXT, "folder for the replies"),
        optional("sign_with", TEXT, "its private key; only for labs"),
    ],
);

static HOST: KnownFields = record(
    "a host",
    &[
        required("role", Shape::OneOrMore(&NAME), "its role, or a list of roles"),
        optional("side", Shape::Words(&["a", "b"]), "its side"),
        optional("cluster", NAME, "the cluster it is a node of"),
        optional("publisher", Shape::Flag, "whether it is its cluster's publisher"),
        optional("vars", Shape::Map(Lexeme::Variable, &TEXT), "values for the profile's variables"),
        optional("labels", Shape::Map(Lexeme::Name, &TEXT), "labels for `same:` rules"),
        optional(
            "certificates",
            Shape::Map(Lexeme::Name, &Shape::Record(&HOST_CERTIFICATE)),
            "certificate files and further names, by identity",
        ),
        optional("identity", Shape::Record(&IDENTITY), "how this host's identities are made"),
        optional(
            "identities",
            Shape::Map(Lexeme::Name, &Shape::Record(&IDENTITY)),
            "how one identity is made, by its name",
        ),
        optional("profile", Shape::OneOrMore(&TEXT), "the profile of this host"),
        optional("formerly", Shape::List(&FQDN), "names it had before"),
        optional(
            "access",
            Shape::Either(&Shape::Words(REACHES), &ACCESS),
            "how its disk is reached: a root, `this-machine` or `none`",
        ),
    ],
);

static HOST_CERTIFICATE: KnownFields = record(
    "a host's certificate",
    &[
        optional("file", TEXT, "the exported certificate"),
        optional("names", Shape::List(&FQDN), "other names that it may carry besides the name of the host"),
    ],
);

static DISTRUST: KnownFields = record(
    "a distrusted certificate",
    &[required("sha256", SHA256, "its fingerprint"), required("why", TEXT, "why it must be removed")],
);

static TRUST: KnownFields = KnownFields {
    what: "a trust entry",
    fields: &[
        required("store", Shape::OneOrMore(&PAIR), "ROLE/STORE or FQDN/STORE"),
        optional("certificate", NAME, "a name under `certificates:`"),
        optional("subject", Shape::OneOrMore(&PAIR), "ROLE/IDENTITY or FQDN/IDENTITY"),
        optional("alias", TEXT, "the alias, `{fqdn}` and `{host}` of the subject allowed"),
        optional(
            "was",
            Shape::List(&OLDER_ALIAS),
            "aliases it had before; with * at the end: any alias that begins so",
        ),
        required("why", TEXT, "what it is for"),
    ],
    one_of: &["certificate", "subject"],
};

static TWEAK: KnownFields = record(
    "a rule setting",
    &[
        optional("enabled", Shape::Flag, "false switches the rule off"),
        optional(
            "same",
            Shape::OneOrMore(&NAME),
            "labels (or `side`, `cluster`) that the trusting host and the subject must share",
        ),
        optional("alias", TEXT, "another alias"),
        optional("why", TEXT, "why"),
    ],
);

static OVERRIDE: KnownFields = record(
    "a store override",
    &[
        optional("path", HOST_PATH, "where it is"),
        optional("certificate", HOST_PATH, "of a pair: the certificate file"),
        optional("key", HOST_PATH, "of a pair: the key file"),
        optional("format", Shape::Words(FORMATS), "its format"),
        optional("password", Shape::Either(&NAME, &SECRET), "a name under `secrets:`, or the way to the password"),
        optional(
            "ownership",
            Shape::Words(&["shared", "exclusive"]),
            "exclusive: trusted entries that the spec does not declare are deleted",
        ),
        optional("create", Shape::Flag, "whether it may be created"),
        optional("scheme", Shape::Words(SCHEMES), "of a pkcs12 file that is created: what its service reads"),
        optional("write", Shape::Words(WRITES), "of a Windows store: direct, or hand-off"),
        optional(
            "place",
            Shape::Record(&PLACEMENT),
            "of a Windows store: which certificate goes into which system store",
        ),
    ],
);

static SERVICE: KnownFields = record(
    "a service",
    &[
        optional("restart", Shape::List(&TEXT), "the program that restarts it and its arguments; no shell reads them"),
        optional("timeout", Shape::Scalar(Lexeme::Wait), "how long that may take"),
    ],
);

static ACCEPT: KnownFields = record(
    "an accepted finding",
    &[
        required("finding", Shape::Words(FINDINGS), "the finding's id"),
        optional("store", PAIR, "a glob over FQDN/STORE"),
        optional("sha256", SHA256, "the certificate"),
        required("until", Shape::Scalar(Lexeme::Date), "the last day"),
        required("why", TEXT, "why"),
    ],
);

static POLICY: KnownFields = record(
    "a policy",
    &[
        optional(
            "warn_before",
            LEAD_TIME,
            "certificates that end within this time, or share of their lifetime, are `expiring`",
        ),
        optional("patience", DAYS, "how long a pending step stays information before it becomes an error"),
        optional("observation_max_age", DAYS, "how old a mirror or a confirmation may be"),
        optional("keep_runs", COUNT, "number of newest runs that keep their backups at any age"),
        optional("keep_for", DAYS, "how long older runs keep their backups"),
    ],
);
