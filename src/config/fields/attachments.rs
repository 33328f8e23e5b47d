//! The keys of `[attachments]`.

use super::{Field, key};

pub(super) const ATTACHMENTS: &[Field] = &[
    key(
        "action",
        r#""tag""#,
        "On mail from outside with an attachment that the lists deny: \"off\", \"tag\", \"quarantine\" or\n\
         \"reject\".",
    ),
    key(
        "mode",
        r#""deny""#,
        "Whether extensions and types name what is denied (\"deny\"), or what alone is allowed\n\
         (\"allow\"): then a name needs an extension of the list, and a type that the content tells\n\
         must be of types.",
    ),
    key(
        "extensions",
        r#"[
"ade", "adp", "apk", "appx", "appxbundle", "bat", "cab", "chm", "cmd", "com", "cpl", "diagcab",
"diagcfg", "diagpkg", "dll", "dmg", "exe", "hta", "img", "ins", "iso", "isp", "jar", "jnlp",
"js", "jse", "lib", "library-ms", "lnk", "mde", "msc", "msi", "msix", "msixbundle", "msp",
"mst", "nsh", "pif", "ps1", "psc1", "psm1", "reg", "scf", "scr", "sct", "search-ms",
"settingcontent-ms", "shb", "shs", "sys", "theme", "url", "vb", "vbe", "vbs", "vhd", "vhdx",
"vxd", "website", "wsc", "wsf", "wsh", "xll"
]"#,
        "Extensions without the dot, of every reading of a name. The default list is of what runs when\n\
         it is opened.",
    ),
    key(
        "types",
        r#"[
"application/vnd.microsoft.portable-executable", "application/x-executable",
"application/x-mach-binary", "application/x-ms-shortcut", "application/vnd.ms-htmlhelp",
"application/x-msdownload", "application/x-msdos-program", "application/hta", "message/partial"
]"#,
        "Types, as declared and as the content tells, whatever the name is. \"message/partial\" is mail\n\
         in pieces, which no filter sees whole.",
    ),
    key(
        "members",
        "true",
        "Whether the lists hold for the members of zip, tar and gzip archives, too, nested to\n\
         archive_depth_max. In mode \"allow\" the types are not asked of members.",
    ),
    key(
        "encrypted",
        r#""tag""#,
        "On an archive or office document with a password: \"off\", \"tag\", \"quarantine\" or \"reject\".",
    ),
    key(
        "ambiguous",
        r#""tag""#,
        "On a message whose structure one reader takes for one thing and the next for another: \"off\",\n\
         \"tag\", \"quarantine\" or \"reject\". All readings are looked at in any case.",
    ),
    key(
        "ambiguities",
        r#"[
"two-content-types", "two-encodings", "encoded-multipart", "two-boundaries", "reused-boundary",
"after-end", "two-names", "deceptive-name"
]"#,
        "Which ambiguities those are. Also: \"broken-content-type\", \"unknown-encoding\", \"no-boundary\",\n\
         \"unused-boundary\", \"longer-boundary\", \"no-end\", \"broken-part-header\", which broken but\n\
         honest programs write, too.",
    ),
    key(
        "over_limit",
        r#""tag""#,
        "On a message that is over one of the limits below, so that something in it was not looked\n\
         at: \"off\", \"tag\", \"quarantine\" or \"reject\". Not for body_bytes_max.",
    ),
    key(
        "body_bytes_max",
        "1048576",
        "How many octets of a body are looked at, and so are kept while it comes, from 4096 to\n\
         67108864; of plain text without attachments nothing is. The names of what begins later are\n\
         not seen, which a reason says.",
    ),
    key("parts_max", "1000", "How many parts a message has, in all readings, from 10 to 100000."),
    key("depth_max", "30", "How deep parts lie in parts, from 1 to 100."),
    key("archive_depth_max", "4", "How deep archives lie in archives, from 1 to 20."),
    key("archive_members_max", "10000", "How many members all archives have, from 1 to 1000000."),
    key(
        "archive_bytes_max",
        "33554432",
        "How many octets of archives are unpacked for a message, from 65536 to 1073741824.",
    ),
    key(
        "archive_ratio_max",
        "200",
        "How many times as large an archive of 1 MiB and more may be when unpacked, from 2 to 1032.",
    ),
];
