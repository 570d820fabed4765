//! The table of the estate spec. The table is data only; `shape` does the checks.

use super::{
    COUNT, DAYS, FINDINGS, FORMATS, FQDN, HASHES, HOST_PATH, KEYS, NAME, PAIR, PLACEMENT, REACHES, SCHEMES, SECRET,
    SHA256, TEXT, WRITES,
};
use crate::lexeme::Lexeme;
use crate::shape::{KnownFields, Shape, may, must, record};

/// All fields of an estate spec.
pub(crate) static SPEC: KnownFields = record(
    "an estate spec",
    &[
        must("trustmason", Shape::Words(&["1"]), "version of this language, 1"),
        must("estate", NAME, "the estate's name"),
        must("profile", Shape::OneOrMore(&TEXT), "a built-in profile, the path of your own profile, or a list of them"),
        may("state", TEXT, "folder of journal, ledger, staging, backups and lock"),
        may("access", Shape::Either(&Shape::Words(REACHES), &ACCESS), "how this machine reaches the hosts' disks"),
        may("certificates_dir", TEXT, "folder for certificates that are exported by hand"),
        may("secrets", Shape::Map(Lexeme::Name, &Shape::Record(&SECRET)), "passwords, by reference"),
        may("identity", Shape::Record(&IDENTITY), "how certificates and keys of identities are made"),
        may("authorities", Shape::Map(Lexeme::Name, &Shape::Record(&AUTHORITY)), "certification authorities"),
        must("hosts", Shape::Map(Lexeme::Fqdn, &Shape::Record(&HOST)), "the hosts, by full name"),
        may(
            "retired",
            Shape::List(&FQDN),
            "hosts that left; trusted certificates that name only these hosts are deleted",
        ),
        may("distrust", Shape::List(&Shape::Record(&DISTRUST)), "certificates that are removed from every store"),
        may("certificates", Shape::Map(Lexeme::Name, &Shape::Record(&ANCHOR)), "certificates that belong to no host"),
        may("trust", Shape::List(&Shape::Record(&TRUST)), "trust in addition to the rules of the profile"),
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
            "services",
            Shape::Map(Lexeme::Pair, &Shape::Record(&SERVICE)),
            "how services are restarted, by ROLE/SERVICE, FQDN/SERVICE or a glob",
        ),
        may("accept", Shape::List(&Shape::Record(&ACCEPT)), "findings that are accepted for a time"),
        may("policy", Shape::Record(&POLICY), "estate-wide limits"),
    ],
);

static ACCESS: KnownFields = record(
    "access",
    &[
        must("root", TEXT, "folder that stands for the host's disks, `{fqdn}` and `{host}` allowed"),
        may("drive", TEXT, "name of a drive in that folder, `{letter}$` for admin shares"),
    ],
);

static IDENTITY: KnownFields = record(
    "an identity setting",
    &[
        may("issuer", NAME, "`self-signed`, or the name of an authority"),
        may("subject", Shape::Record(&SUBJECT), "subject attributes beside the CN"),
        may("key", Shape::Words(KEYS), "key kind and size"),
        may("signature", Shape::Words(HASHES), "signature hash"),
        may("validity", DAYS, "how long a new certificate is valid"),
        may("renew_before", DAYS, "how long before its end a new one is made"),
        may("rotation", Shape::Words(&["staged", "immediate"]), "staged (trusted before it is used), or immediate"),
    ],
);

static SUBJECT: KnownFields = record(
    "a subject",
    &[
        may("OU", TEXT, "organisational unit"),
        may("O", TEXT, "organisation"),
        may("L", TEXT, "locality"),
        may("ST", TEXT, "state or province"),
        may("C", Shape::Scalar(Lexeme::Country), "country, two letters"),
    ],
);

static ANCHOR: KnownFields = record(
    "a certificate",
    &[must("file", TEXT, "the file, PEM or DER"), may("sha256", SHA256, "its fingerprint, as a pin")],
);

static INTERMEDIATE: KnownFields = record(
    "an intermediate",
    &[
        must("file", TEXT, "the file, PEM or DER"),
        may("sha256", SHA256, "its fingerprint, as a pin"),
        may("as_anchor", Shape::Words(&["unconstrained"]), "trust it although Java stores drop its constraints"),
    ],
);

static AUTHORITY: KnownFields = record(
    "an authority",
    &[
        must("root", Shape::Record(&ANCHOR), "its root certificate"),
        may("intermediates", Shape::List(&Shape::Record(&INTERMEDIATE)), "its intermediates, top down"),
        may("requests_dir", TEXT, "folder where requests are put"),
        may("inbox", TEXT, "folder for the replies"),
        may("sign_with", TEXT, "its private key; only for labs"),
    ],
);

static HOST: KnownFields = record(
    "a host",
    &[
        must("role", Shape::OneOrMore(&NAME), "its role, or a list of roles"),
        may("side", Shape::Words(&["a", "b"]), "its side"),
        may("cluster", NAME, "the cluster it is a node of"),
        may("publisher", Shape::Flag, "whether it is its cluster's publisher"),
        may("vars", Shape::Map(Lexeme::Variable, &TEXT), "values for the profile's variables"),
        may("labels", Shape::Map(Lexeme::Name, &TEXT), "labels for `same:` rules"),
        may(
            "certificates",
            Shape::Map(Lexeme::Name, &Shape::Record(&HOST_CERTIFICATE)),
            "certificate files and further names, by identity",
        ),
        may("identity", Shape::Record(&IDENTITY), "how this host's identities are made"),
        may("identities", Shape::Map(Lexeme::Name, &Shape::Record(&IDENTITY)), "how one identity is made, by its name"),
        may("profile", Shape::OneOrMore(&TEXT), "the profile of this host"),
        may("formerly", Shape::List(&FQDN), "names it had before"),
        may(
            "access",
            Shape::Either(&Shape::Words(REACHES), &ACCESS),
            "how its disk is reached: a root, `this-machine` or `none`",
        ),
    ],
);

static HOST_CERTIFICATE: KnownFields = record(
    "a host's certificate",
    &[
        may("file", TEXT, "the exported certificate"),
        may("names", Shape::List(&FQDN), "other names that it may carry besides the name of the host"),
    ],
);

static DISTRUST: KnownFields = record(
    "a distrusted certificate",
    &[must("sha256", SHA256, "its fingerprint"), must("why", TEXT, "why it must be removed")],
);

static TRUST: KnownFields = KnownFields {
    what: "a trust entry",
    fields: &[
        must("store", Shape::OneOrMore(&PAIR), "ROLE/STORE or FQDN/STORE"),
        may("certificate", NAME, "a name under `certificates:`"),
        may("subject", Shape::OneOrMore(&PAIR), "ROLE/IDENTITY or FQDN/IDENTITY"),
        may("alias", TEXT, "the alias, `{fqdn}` and `{host}` of the subject allowed"),
        may("was", Shape::List(&TEXT), "aliases it had before"),
        must("why", TEXT, "what it is for"),
    ],
    one_of: &["certificate", "subject"],
};

static TWEAK: KnownFields = record(
    "a rule setting",
    &[
        may("enabled", Shape::Flag, "false switches the rule off"),
        may(
            "same",
            Shape::OneOrMore(&NAME),
            "labels (or `side`, `cluster`) that the trusting host and the subject must share",
        ),
        may("alias", TEXT, "another alias"),
        may("why", TEXT, "why"),
    ],
);

static OVERRIDE: KnownFields = record(
    "a store override",
    &[
        may("path", HOST_PATH, "where it is"),
        may("certificate", HOST_PATH, "of a pair: the certificate file"),
        may("key", HOST_PATH, "of a pair: the key file"),
        may("format", Shape::Words(FORMATS), "its format"),
        may("password", Shape::Either(&NAME, &SECRET), "a name under `secrets:`, or the way to the password"),
        may(
            "ownership",
            Shape::Words(&["shared", "exclusive"]),
            "exclusive: trusted entries that the spec does not declare are deleted",
        ),
        may("create", Shape::Flag, "whether it may be created"),
        may("scheme", Shape::Words(SCHEMES), "of a pkcs12 file that is created: what its service reads"),
        may("write", Shape::Words(WRITES), "of a Windows store: direct, or hand-off"),
        may("place", Shape::Record(&PLACEMENT), "of a Windows store: which certificate goes into which system store"),
    ],
);

static SERVICE: KnownFields = record(
    "a service",
    &[
        may("restart", Shape::List(&TEXT), "the program that restarts it and its arguments; no shell reads them"),
        may("timeout", Shape::Scalar(Lexeme::Wait), "how long that may take"),
    ],
);

static ACCEPT: KnownFields = record(
    "an accepted finding",
    &[
        must("finding", Shape::Words(FINDINGS), "the finding's id"),
        may("store", PAIR, "a glob over FQDN/STORE"),
        may("sha256", SHA256, "the certificate"),
        must("until", Shape::Scalar(Lexeme::Date), "the last day"),
        must("why", TEXT, "why"),
    ],
);

static POLICY: KnownFields = record(
    "a policy",
    &[
        may("warn_before", DAYS, "certificates that end within this time are `expiring`"),
        may("patience", DAYS, "how long a pending step stays information before it becomes an error"),
        may("observation_max_age", DAYS, "how old a mirror or a confirmation may be"),
        may("keep_runs", COUNT, "number of newest runs that keep their backups at any age"),
        may("keep_for", DAYS, "how long older runs keep their backups"),
    ],
);
