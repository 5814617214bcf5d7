//! A browser without a window: it keeps cookies, follows no redirect unasked, and fills in the forms it is shown.

use std::collections::BTreeMap;

use super::client::{Answer, Client};

/// A browser of one person.
pub(crate) struct Browser<'c> {
    client: &'c Client,
    cookies: BTreeMap<String, String>,
}

/// A form as a page shows it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Form {
    /// The first form of a page, with what its fields already hold.
    pub(crate) fn of(page: &str) -> Self {
        let (_, rest) = page.split_once("<form").expect("a form");
        let (form, _) = rest.split_once("</form>").unwrap();
        let (head, body) = form.split_once('>').unwrap();
        let inputs = body.split("<input").skip(1);
        let fields = inputs.filter_map(|input| {
            let tag = input.split('>').next().unwrap();
            Some((
                attribute(tag, "name")?,
                attribute(tag, "value").unwrap_or_default(),
            ))
        });
        Self {
            action: attribute(head, "action").unwrap(),
            fields: fields.collect(),
        }
    }

    /// The same form with this field filled in.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split('"').next()?))
}

/// Text as it was before the template engine escaped it.
pub(crate) fn unescaped(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl<'c> Browser<'c> {
    pub(crate) fn of(client: &'c Client) -> Self {
        Self {
            client,
            cookies: BTreeMap::new(),
        }
    }

    /// A cookie it keeps.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub(crate) fn keep(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    /// What it sends as its `Cookie` header.
    pub(crate) fn cookies(&self) -> String {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Follows a link: a path of ours, or an address that begins with our own.
    pub(crate) async fn get(&mut self, to: &str) -> Answer {
        let answer = self
            .client
            .get(&self.path(to))
            .header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
            .header("cookie", &self.cookies())
            .send()
            .await;
        self.taken(answer)
    }

    /// Posts a form as a page of ours makes it: no referrer, hence `Origin: null`.
    pub(crate) async fn post(&mut self, form: &Form) -> Answer {
        let fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = self
            .client
            .post(&self.path(&form.action))
            .header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookies())
            .form(&fields)
            .send()
            .await;
        self.taken(answer)
    }

    /// From an answer that leads to the sign-in page, through its form, to what comes after.
    pub(crate) async fn sign_in(&mut self, answer: &Answer, name: &str, password: &str) -> Answer {
        let page = self.get(answer.header("location")).await.ok();
        let form = Form::of(&page.text)
            .with("username", name)
            .with("password", password);
        self.post(&form).await
    }

    fn path(&self, to: &str) -> String {
        to.strip_prefix(self.client.base()).unwrap_or(to).to_owned()
    }

    fn taken(&mut self, answer: Answer) -> Answer {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{line}");
            for wanted in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(format!(";{attributes}").contains(wanted), "{line}");
            }
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}
