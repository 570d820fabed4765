//! The table of the role profile. The table is data only; `shape` does the checks.

use super::{
    COUNT, EXPECTED, FORMATS, HASHES, HOST_PATH, KEYS, NAME, PAIR, PLACEMENT, SCHEMES, SECRET, SYNTAXES, TEXT, WRITES,
};
use crate::lexeme::Lexeme;
use crate::shape::{Field, KnownFields, Shape, may, must, record};

/// All fields of a role profile.
pub(crate) static PROFILE: KnownFields = record(
    "a profile",
    &[
        must("trustmason-profile", Shape::Words(&["1"]), "version of this language, 1"),
        must("name", NAME, "the profile's name"),
        may(
            "extends",
            TEXT,
            "the profile that it extends; stores, identities, services and rules of the same name replace those of that profile",
        ),
        may("needs", Shape::Record(&NEEDS), "what an estate must supply"),
        may(
            "secrets",
            Shape::Map(Lexeme::Name, &Shape::Record(&SECRET)),
            "default places of passwords; `secrets:` of the estate override them",
        ),
        may("roles", Shape::Map(Lexeme::Name, &Shape::Record(&ROLE)), "the roles"),
        may("rules", Shape::Map(Lexeme::Name, &Shape::Record(&RULE)), "who trusts whom"),
        // A place for YAML anchors that several roles use. Trustmason itself never reads this field.
        may(
            "shared",
            Shape::Map(Lexeme::Name, &Shape::Record(&SHARED)),
            "definitions that roles take over with YAML anchors",
        ),
    ],
);

static NEEDS: KnownFields =
    record("a need", &[may("certificates", Shape::List(&NAME), "names that must stand under `certificates:`")]);

static SHARED: KnownFields = record("a shared definition", ROLE_FIELDS);

static ROLE: KnownFields = record("a role", ROLE_FIELDS);

static ROLE_FIELDS: &[Field] = &[
    may("about", TEXT, "what this machine is"),
    may("cluster", Shape::Flag, "its hosts are nodes of clusters with one publisher"),
    may("vars", Shape::Map(Lexeme::Variable, &Shape::Record(&VAR)), "variables of its paths"),
    may("stores", Shape::Map(Lexeme::Name, &Shape::Record(&STORE)), "its stores"),
    may("identities", Shape::Map(Lexeme::Name, &Shape::Record(&PROFILE_IDENTITY)), "the identities that it presents"),
    may("services", Shape::Map(Lexeme::Name, &Shape::Record(&SERVICE)), "the services that are restarted on it"),
    may(
        "options",
        Shape::Map(Lexeme::Name, &Shape::Record(&OPTIONS)),
        "options files that tell its product about its stores; they are read, never written",
    ),
    may("restart_order", COUNT, "restart order of roles: the lower number first; 50 by default"),
];

static VAR: KnownFields = record(
    "a variable",
    &[
        may("default", TEXT, "its value where a host sets none"),
        may("about", TEXT, "what it is"),
        may(
            "sequence",
            Shape::Record(&SEQUENCE),
            "how its product numbers it; another value on a host gives a warning",
        ),
    ],
);

static SEQUENCE: KnownFields = record(
    "a sequence",
    &[
        must("of", Shape::Scalar(Lexeme::Variable), "the variable it follows from, counted from 1"),
        must("first", Shape::Scalar(Lexeme::Port), "its value if that variable is 1"),
        must("step", Shape::Scalar(Lexeme::Port), "the difference for each step of that variable"),
    ],
);

static STORE: KnownFields = record(
    "a store",
    &[
        may("path", HOST_PATH, "where it is; of a hand-off store: where its mirror is"),
        may("certificate", HOST_PATH, "of a pair: the certificate file"),
        may("key", HOST_PATH, "of a pair: the key file"),
        may("previous", HOST_PATH, "of a pair: where the first certificate is kept; never overwritten"),
        may(
            "copies",
            Shape::List(&HOST_PATH),
            "of a pair: files that hold the certificate too, if their folder exists",
        ),
        must("format", Shape::Words(FORMATS), "its format"),
        may("password", NAME, "the secret that opens it"),
        may("write", Shape::Words(WRITES), "direct (default), or hand-off: only people write it"),
        may("create", Shape::Flag, "whether it may be created if its folder exists"),
        may("scheme", Shape::Words(SCHEMES), "of a pkcs12 file that is created: what its service reads"),
        may("place", Shape::Record(&PLACEMENT), "of a Windows store: which certificate goes into which system store"),
        may("vendor_entries", Shape::Flag, "whether the vendor ships entries of its own in it"),
        may("shadows", Shape::List(&HOST_PATH), "files that are used instead of it, if they exist"),
        may("restart", Shape::List(&NAME), "services that read it at start"),
        may("steps", Shape::List(&TEXT), "the steps of a person to add the certificates of a pack"),
        may("removal_steps", Shape::List(&TEXT), "the steps of a person to remove certificates"),
        may("source", TEXT, "the document that names it"),
    ],
);

static OPTIONS: KnownFields = record(
    "an options file",
    &[
        may("about", TEXT, "what it is, for people"),
        must("path", HOST_PATH, "where it is; unknown on a host where a variable of the path has no value"),
        must("syntax", Shape::Words(SYNTAXES), "ini, arguments (-name value), or batch: a Windows batch file"),
        may("section", TEXT, "of an ini file: the section of its settings"),
        may("only_if_used", Shape::Flag, "whether a file with none of the settings counts as unused"),
        must("settings", Shape::Map(Lexeme::Text, &Shape::Record(&SETTING)), "its settings"),
        must("source", TEXT, "the document that names it"),
    ],
);

static SETTING: KnownFields = KnownFields {
    what: "a setting",
    fields: &[
        must("store", NAME, "the store that the setting is about"),
        may("is", Shape::Words(EXPECTED), "the path, the Java format name or the password of that store; or unset"),
        may("value", TEXT, "its right value; an absolute path is compared as a path"),
        may("needed", Shape::Flag, "whether it must be there (default)"),
        may("was", Shape::List(&TEXT), "wrong names that occur for it; with * at the end: any name that begins so"),
        may("without", TEXT, "the consequence if it is missing"),
    ],
    one_of: &["is", "value"],
};

static PROFILE_IDENTITY: KnownFields = record(
    "an identity",
    &[
        may("store", NAME, "the store that holds its key"),
        may("alias", TEXT, "the alias of its key entry; a pem-pair has none"),
        may("write", Shape::Words(WRITES), "direct: made in its store; hand-off: a person makes it"),
        may("exported_as", Shape::List(&TEXT), "names of its exported certificate, in any case"),
        may("served_at", Shape::Scalar(Lexeme::Port), "TCP port where it is presented"),
        may("constraints", Shape::Record(&CONSTRAINTS), "what the role demands of it"),
        may("restart", Shape::List(&NAME), "services restarted when it changes"),
        may("export_steps", Shape::List(&TEXT), "the steps of a person to export it"),
        may("renew_steps", Shape::List(&TEXT), "the steps of a person to make a new self-signed one"),
        may("request_steps", Shape::List(&TEXT), "the steps of a person to have it issued by a CA"),
        may("install_steps", Shape::List(&TEXT), "the steps of a person with the reply of the CA"),
        must("source", TEXT, "the document that names it"),
    ],
);

static CONSTRAINTS: KnownFields = record(
    "a constraint",
    &[
        may("key", Shape::Words(KEYS), "key kind and least size"),
        may("signature", Shape::List(&Shape::Words(HASHES)), "hashes allowed"),
        may(
            "eku",
            Shape::List(&Shape::Words(&["serverAuth", "clientAuth"])),
            "extended key usages that it must have, if it has any",
        ),
        may("cn_is_fqdn", Shape::Flag, "whether the CN must be the full host name"),
    ],
);

static SERVICE: KnownFields = record("a service", &[must("name", TEXT, "the name that people use")]);

static RULE: KnownFields = record(
    "a rule",
    &[
        must("truster", Shape::OneOrMore(&PAIR), "ROLE/STORE"),
        must("subject", Shape::OneOrMore(&PAIR), "ROLE/IDENTITY"),
        may("where", Shape::Record(&WHERE), "only these subjects"),
        may("self", Shape::Flag, "whether a host trusts itself by this rule"),
        may("same", Shape::OneOrMore(&NAME), "labels (or `side`, `cluster`) that both must share"),
        may("alias", TEXT, "the alias; `{fqdn}`, `{host}` and `{identity}` are the subject's"),
        may("was", Shape::List(&TEXT), "aliases older documents gave it"),
        must("why", TEXT, "what it is for"),
        must("source", TEXT, "the document"),
    ],
);

static WHERE: KnownFields = record("a condition", &[may("publisher", Shape::Flag, "only publishers, or only others")]);
