//! The table of the role profile. The table is data only; `shape` does the checks.

use super::{
    COUNT, EXPECTED, FORMATS, HASHES, HOST_PATH, KEYS, NAME, OLDER_ALIAS, PAIR, PLACEMENT, PROFILE_SECRET, PURPOSES,
    SCHEMES, SYNTAXES, TEXT, WRITES,
};
use crate::lexeme::Lexeme;
use crate::shape::{Field, KnownFields, Shape, optional, record, required};

/// All fields of a role profile.
pub(crate) static PROFILE: KnownFields = record(
    "a profile",
    &[
        required("trustmason-profile", Shape::Words(&["1"]), "version of this language, 1"),
        required("name", NAME, "the profile's name"),
        optional(
            "extends",
            Shape::OneOrMore(&TEXT),
            "the profile or profiles that it extends, the later ones over the earlier ones; its own stores, identities, \
             services and rules replace those of the same name",
        ),
        optional(
            "removed",
            Shape::Record(&REMOVED),
            "what it takes away from the profiles that it extends, each with the reason",
        ),
        optional("needs", Shape::Record(&NEEDS), "what an estate must supply"),
        optional(
            "secrets",
            Shape::Map(Lexeme::Name, &Shape::Record(&PROFILE_SECRET)),
            "default places of passwords; `secrets:` of the estate override them",
        ),
        optional(
            "was",
            Shape::List(&Shape::Scalar(Lexeme::AliasPrefix)),
            "how the aliases of another tool begin, with * at the end; they are older aliases of every rule, and of `trust:`",
        ),
        optional("roles", Shape::Map(Lexeme::Name, &Shape::Record(&ROLE)), "the roles"),
        optional("rules", Shape::Map(Lexeme::Name, &Shape::Record(&RULE)), "who trusts whom"),
        // A place for YAML anchors that several roles use. Trustmason itself never reads this field.
        optional(
            "shared",
            Shape::Map(Lexeme::Name, &Shape::Record(&SHARED)),
            "definitions that roles take over with YAML anchors",
        ),
    ],
);

static REMOVED: KnownFields = record(
    "a removal",
    &[
        optional(
            "roles",
            Shape::Map(Lexeme::Name, &TEXT),
            "roles, each with the reason; profiles that are used together with this one lose them too",
        ),
        optional("rules", Shape::Map(Lexeme::Name, &TEXT), "inherited rules, each with the reason"),
    ],
);

static NEEDS: KnownFields =
    record("a need", &[optional("certificates", Shape::List(&NAME), "names that must stand under `certificates:`")]);

static SHARED: KnownFields = record("a shared definition", ROLE_FIELDS);

static ROLE: KnownFields = record("a role", ROLE_FIELDS);

static ROLE_FIELDS: &[Field] = &[
    optional("about", TEXT, "what this machine is"),
    optional("cluster", Shape::Flag, "its hosts are nodes of clusters with one publisher"),
    optional("vars", Shape::Map(Lexeme::Variable, &Shape::Record(&VAR)), "variables of its paths"),
    optional("stores", Shape::Map(Lexeme::Name, &Shape::Record(&STORE)), "its stores"),
    optional(
        "identities",
        Shape::Map(Lexeme::Name, &Shape::Record(&PROFILE_IDENTITY)),
        "the identities that it presents",
    ),
    optional("services", Shape::Map(Lexeme::Name, &Shape::Record(&SERVICE)), "the services that are restarted on it"),
    optional(
        "options",
        Shape::Map(Lexeme::Name, &Shape::Record(&OPTIONS)),
        "options files that tell its product about its stores; they are read, never written",
    ),
    optional("restart_order", COUNT, "restart order of roles: the lower number first; 50 by default"),
];

static VAR: KnownFields = record(
    "a variable",
    &[
        optional("default", TEXT, "its value where a host sets none"),
        optional("about", TEXT, "what it is"),
        optional(
            "sequence",
            Shape::Record(&SEQUENCE),
            "how its product numbers it; another value on a host gives a warning",
        ),
    ],
);

static SEQUENCE: KnownFields = record(
    "a sequence",
    &[
        required("of", Shape::Scalar(Lexeme::Variable), "the variable it follows from, counted from 1"),
        required("first", Shape::Scalar(Lexeme::Port), "its value if that variable is 1"),
        required("step", Shape::Scalar(Lexeme::Port), "the difference for each step of that variable"),
    ],
);

static STORE: KnownFields = record(
    "a store",
    &[
        optional("path", HOST_PATH, "where it is; of a hand-off store: where its mirror is"),
        optional("certificate", HOST_PATH, "of a pair: the certificate file"),
        optional("key", HOST_PATH, "of a pair: the key file"),
        optional("previous", HOST_PATH, "of a pair: where the first certificate is kept; never overwritten"),
        optional(
            "copies",
            Shape::List(&Shape::Either(&HOST_PATH, &COPY)),
            "of a pair: files that hold the certificate too, or certificate and key, if their folder exists",
        ),
        required("format", Shape::Words(FORMATS), "its format"),
        optional("password", NAME, "the secret that opens it"),
        optional("write", Shape::Words(WRITES), "direct (default), or hand-off: only people write it"),
        optional("create", Shape::Flag, "whether it may be created if its folder exists"),
        optional("scheme", Shape::Words(SCHEMES), "of a pkcs12 file that is created: what its service reads"),
        optional(
            "place",
            Shape::Record(&PLACEMENT),
            "of a Windows store: which certificate goes into which system store",
        ),
        optional("vendor_entries", Shape::Flag, "whether the vendor ships entries of its own in it"),
        optional("shadows", Shape::List(&HOST_PATH), "files that are used instead of it, if they exist"),
        optional("restart", Shape::List(&NAME), "services that read it at start"),
        optional("steps", Shape::List(&TEXT), "the steps of a person to add the certificates of a pack"),
        optional("removal_steps", Shape::List(&TEXT), "the steps of a person to remove certificates"),
        optional("source", TEXT, "the document that names it"),
    ],
);

static COPY: KnownFields = record(
    "a copy of a pair",
    &[
        required("certificate", HOST_PATH, "the file that holds the certificate too"),
        required("key", HOST_PATH, "the file that holds the key too"),
    ],
);

static OPTIONS: KnownFields = record(
    "an options file",
    &[
        optional("about", TEXT, "what it is, for people"),
        required("path", HOST_PATH, "where it is; unknown on a host where a variable of the path has no value"),
        required("syntax", Shape::Words(SYNTAXES), "ini, arguments (-name value), or batch: a Windows batch file"),
        optional("section", TEXT, "of an ini file: the section of its settings"),
        optional("only_if_used", Shape::Flag, "whether a file with none of the settings counts as unused"),
        required("settings", Shape::Map(Lexeme::Text, &Shape::Record(&SETTING)), "its settings"),
        required("source", TEXT, "the document that names it"),
    ],
);

static SETTING: KnownFields = KnownFields {
    what: "a setting",
    fields: &[
        required("store", NAME, "the store that the setting is about"),
        optional(
            "is",
            Shape::Words(EXPECTED),
            "the path, the Java format name or the password of that store; or unset",
        ),
        optional("value", TEXT, "its right value; an absolute path is compared as a path"),
        optional("needed", Shape::Flag, "whether it must be there (default)"),
        optional(
            "was",
            Shape::List(&TEXT),
            "wrong names that occur for it; with * at the end: any name that begins so",
        ),
        optional("without", TEXT, "the consequence if it is missing"),
    ],
    one_of: &["is", "value"],
};

static PROFILE_IDENTITY: KnownFields = record(
    "an identity",
    &[
        optional("store", NAME, "the store that holds its key"),
        optional("alias", TEXT, "the alias of its key entry, `{fqdn}` and `{host}` allowed; a pem-pair has none"),
        optional("write", Shape::Words(WRITES), "direct: made in its store; hand-off: a person makes it"),
        optional("exported_as", Shape::List(&TEXT), "names of its exported certificate, in any case"),
        optional("served_at", Shape::Scalar(Lexeme::Port), "TCP port where it is presented"),
        optional("constraints", Shape::Record(&CONSTRAINTS), "what the role demands of it"),
        optional("restart", Shape::List(&NAME), "services restarted when it changes"),
        optional(
            "restart_self_signed",
            Shape::List(&NAME),
            "services restarted instead when it changes and signs its own certificate",
        ),
        optional("export_steps", Shape::List(&TEXT), "the steps of a person to export it"),
        optional("renew_steps", Shape::List(&TEXT), "the steps of a person to make a new self-signed one"),
        optional("request_steps", Shape::List(&TEXT), "the steps of a person to have it issued by a CA"),
        optional("install_steps", Shape::List(&TEXT), "the steps of a person with the reply of the CA"),
        required("source", TEXT, "the document that names it"),
    ],
);

static CONSTRAINTS: KnownFields = record(
    "a constraint",
    &[
        optional("key", Shape::Words(KEYS), "key kind and least size"),
        optional("signature", Shape::List(&Shape::Words(HASHES)), "hashes allowed"),
        optional(
            "eku",
            Shape::List(&Shape::Words(&["serverAuth", "clientAuth"])),
            "extended key usages that it must have, if it has any",
        ),
        optional("cn_is_fqdn", Shape::Flag, "whether the CN must be the full host name"),
        optional(
            "common_names",
            Shape::List(&TEXT),
            "common names that are right beside the full host name; `{fqdn}` and `{host}` are the identity's",
        ),
        optional("source", TEXT, "the document that makes these demands"),
    ],
);

static SERVICE: KnownFields = record("a service", &[required("name", TEXT, "the name that people use")]);

static RULE: KnownFields = KnownFields {
    what: "a rule",
    fields: &[
        required("truster", Shape::OneOrMore(&PAIR), "ROLE/STORE"),
        optional("subject", Shape::OneOrMore(&PAIR), "ROLE/IDENTITY"),
        optional(
            "certificates",
            Shape::OneOrMore(&NAME),
            "instead of `subject`: certificates without a host, as far as the estate declares them under that name",
        ),
        optional("where", Shape::Record(&WHERE), "only these subjects"),
        optional("self", Shape::Flag, "whether a host trusts itself by this rule"),
        optional(
            "purpose",
            Shape::Words(PURPOSES),
            "what the subject is on these connections: server (default), client, or both",
        ),
        optional("same", Shape::OneOrMore(&NAME), "labels (or `fqdn`, `side`, `cluster`) that both must share"),
        optional("alias", TEXT, "the alias; `{fqdn}`, `{host}` and `{identity}` are the subject's"),
        optional(
            "was",
            Shape::List(&OLDER_ALIAS),
            "aliases older documents gave it; with * at the end: any alias that begins so and holds exactly its certificate",
        ),
        required("why", TEXT, "what it is for"),
        required("source", TEXT, "the document"),
    ],
    one_of: &["subject", "certificates"],
};

static WHERE: KnownFields =
    record("a condition", &[optional("publisher", Shape::Flag, "only publishers, or only others")]);
