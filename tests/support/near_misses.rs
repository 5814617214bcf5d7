//! Values that look like a registered redirect URI and are not it: what mix-ups and attacks send (security.md O7).

/// More than two hundred near misses of a registered `https` URI with a path, such as `https://app.example.org/cb`.
pub(crate) fn near_misses(registered: &str) -> Vec<String> {
    let (host, path) = split(registered);
    let mut all = Vec::new();
    letters(registered, &mut all);
    schemes(host, path, &mut all);
    hosts(host, path, &mut all);
    ports(host, path, &mut all);
    paths(host, path, &mut all);
    endings(registered, &mut all);
    once(registered, all)
}

/// Near misses of a registered origin without a path, which any plain path on it would match.
pub(crate) fn near_misses_of_an_origin(registered: &str) -> Vec<String> {
    let (host, _) = split(registered);
    let mut all = Vec::new();
    letters(registered, &mut all);
    for path in ["", "/", "/cb"] {
        schemes(host, path, &mut all);
        hosts(host, path, &mut all);
        ports(host, path, &mut all);
    }
    for rest in OFF_THE_ORIGIN {
        all.push(format!("{registered}{rest}"));
    }
    once(registered, all)
}

fn split(registered: &str) -> (&str, &str) {
    let rest = registered.strip_prefix("https://").unwrap();
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn once(registered: &str, mut all: Vec<String>) -> Vec<String> {
    all.retain(|miss| miss != registered);
    all.sort();
    all.dedup();
    all
}

/// Each letter in the other case, left out, doubled, and as an escape.
fn letters(registered: &str, all: &mut Vec<String>) {
    for (at, letter) in registered.char_indices() {
        let (before, rest) = registered.split_at(at);
        let after = &rest[letter.len_utf8()..];
        if letter.is_ascii_lowercase() {
            all.push(format!("{before}{}{after}", letter.to_ascii_uppercase()));
        }
        all.push(format!("{before}{after}"));
        all.push(format!("{before}{letter}{letter}{after}"));
        all.push(format!("{before}%{:02x}{after}", u32::from(letter)));
        all.push(format!("{before}%{:02X}{after}", u32::from(letter)));
    }
    all.push(registered.to_ascii_uppercase());
}

fn schemes(host: &str, path: &str, all: &mut Vec<String>) {
    for scheme in [
        "http://",
        "HTTPS://",
        "Https://",
        "https:",
        "https:/",
        "https:///",
        "https:\\\\",
        "https:/\\",
        "//",
        "",
        "javascript://",
        "data:text/html,",
        "ftp://",
        "ws://",
        "file://",
        "view-source:https://",
        " https://",
        "\thttps://",
        "https ://",
        "https:// ",
        "https:\n//",
        "https%3a//",
        "http+s://",
        "blob:https://",
    ] {
        all.push(format!("{scheme}{host}{path}"));
    }
}

fn hosts(host: &str, path: &str, all: &mut Vec<String>) {
    let dotless = host.replacen('.', "", 1);
    let other = host.replacen('.', "-", 1);
    for miss in [
        format!("evil.{host}"),
        format!("evil-{host}"),
        format!("evil{host}"),
        format!("www.{host}"),
        format!("{host}.evil.example"),
        format!("{host}evil.example"),
        format!("{host}-evil.example"),
        format!("{host}."),
        format!("{host}.."),
        format!(".{host}"),
        format!("{host}%00"),
        format!("{host}%00.evil.example"),
        format!("{host}\0.evil.example"),
        format!("{host}%2eevil.example"),
        format!("{host}%2f.evil.example"),
        format!("{host}%5c.evil.example"),
        format!("{host}\\.evil.example"),
        format!("{host}\\@evil.example"),
        format!("{host}@evil.example"),
        format!("{host}:443@evil.example"),
        format!("{host}%40evil.example"),
        format!("{host}#@evil.example"),
        format!("{host}?@evil.example"),
        format!("{host};evil.example"),
        format!("{host},evil.example"),
        format!("{host} evil.example"),
        format!("{host}\tevil.example"),
        format!("{host}\r\n.evil.example"),
        format!("{host}&evil.example"),
        format!("evil.example@{host}"),
        format!("user:password@{host}"),
        format!("@{host}"),
        format!(":@{host}"),
        format!("evil.example#@{host}"),
        format!("evil.example?@{host}"),
        format!("evil.example/@{host}"),
        format!("evil.example\\@{host}"),
        format!("evil.example/{host}"),
        format!("evil.example?{host}"),
        format!("[{host}]"),
        format!("*.{host}"),
        host.replacen('a', "\u{430}", 1),
        host.replacen('e', "\u{435}", 1),
        host.replacen('e', "\u{e9}", 1),
        host.replacen('.', "\u{3002}", 1),
        host.replacen('.', "\u{ff0e}", 1),
        host.replacen('.', "%2e", 1),
        format!("xn--{host}"),
        format!("{host}\u{200b}"),
        format!("{host}\u{ad}"),
        format!("{host}\u{202e}"),
        dotless,
        other,
        "evil.example".to_owned(),
        "*".to_owned(),
        String::new(),
    ] {
        all.push(format!("https://{miss}{path}"));
    }
}

fn ports(host: &str, path: &str, all: &mut Vec<String>) {
    for port in [
        "",
        "443",
        "0443",
        "80",
        "8443",
        "0",
        "65536",
        "443443",
        "-1",
        "+443",
        " 443",
        "443 ",
        "4e2",
        "%34%34%33",
        "\u{664}\u{664}\u{663}",
    ] {
        all.push(format!("https://{host}:{port}{path}"));
    }
}

fn paths(host: &str, path: &str, all: &mut Vec<String>) {
    for miss in [
        format!("/.{path}"),
        format!("/..{path}"),
        format!("/a/..{path}"),
        format!("/%2e%2e{path}"),
        format!("/%2E{path}"),
        format!("/..;{path}"),
        format!("/..%2f{path}"),
        format!("/..%5c{path}"),
        format!("/{path}"),
        format!("\\{path}"),
        format!("/\\{path}"),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}/../{path}"),
        format!("{path}/evil"),
        format!("{path}/../evil"),
        format!("{path}%2f..%2fevil"),
        format!("{path};x"),
        format!("{path};x=y"),
        format!("{path}:evil"),
        format!("{path}@evil.example"),
        format!("{path}\\..\\evil"),
        path.replacen('/', "%2f", 1),
        path.replacen('/', "%2F", 1),
        path.replacen('/', "%252f", 1),
        path.replacen('/', "\\", 1),
        path.replacen('/', "", 1),
        path.to_ascii_uppercase(),
        "/".to_owned(),
        String::new(),
        "*".to_owned(),
        "/*".to_owned(),
    ] {
        all.push(format!("https://{host}{miss}"));
    }
}

fn endings(registered: &str, all: &mut Vec<String>) {
    for ending in [
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\0",
        "%00",
        "%0a",
        "%0d%0a",
        "%20",
        "+",
        ".",
        "..",
        "?",
        "??",
        "?x",
        "?x=y",
        "?redirect=https://evil.example",
        "&",
        "&x=y",
        "#",
        "#x",
        "%23",
        "%3f",
        "%3fx=y",
        "\\",
        "\\\\",
        "*",
        "~",
        "1",
        "2",
        "-",
        "_",
        "'",
        "\"",
        "<",
        ">",
        "|",
        "^",
        "`",
        "{}",
        "%",
        "%zz",
        "\u{a0}",
        "\u{200b}",
        "\u{2028}",
        "\u{feff}",
        "\r\nLocation: https://evil.example",
        "\r\n\r\n<script>",
        ",https://evil.example/cb",
        " https://evil.example/cb",
    ] {
        all.push(format!("{registered}{ending}"));
        all.push(format!("{ending}{registered}"));
    }
}

/// What follows an origin and either leaves it or is read differently by different readers.
const OFF_THE_ORIGIN: [&str; 52] = [
    ".evil.example",
    ".evil.example/",
    "evil.example",
    "-evil.example/",
    "@evil.example",
    "@evil.example/",
    ":@evil.example/",
    ":443@evil.example/",
    ":",
    ":/",
    ":443/",
    ":8443/cb",
    "\\",
    "\\cb",
    "\\@evil.example",
    "/\\evil.example",
    "//evil.example",
    "///evil.example",
    "/cb//x",
    "/..",
    "/../",
    "/../x",
    "/a/../b",
    "/a/..",
    "/./a",
    "/.",
    "/%2e%2e/a",
    "/%2e%2e",
    "/.%2e/a",
    "/%2E./a",
    "/a/%2e/b",
    "/..;/a",
    "/..;x=y/a",
    "/%2f/evil.example",
    "/a%2fb",
    "/a%5cb",
    "/a%252e%252e",
    "/@evil.example",
    "/a@evil.example",
    "/a#b",
    "#",
    "#a",
    "?a",
    "/a?b#c",
    "/a\r\nb",
    "/a%0d%0ab",
    "/a%00",
    "/a b",
    "/a\u{fc}",
    "/a%zz",
    "/a%",
    "/a?b?c",
];
