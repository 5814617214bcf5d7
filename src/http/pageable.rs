//! Which page of a list is asked for: `page`, `size` and `sort` as the framework behind contract A reads them, and the
//! one parameter `pageable` that its document prints instead.
//!
//! It knows no list: whoever has one says what it can be sorted by.

use super::Problem;
use crate::domain::oauth::Params;

/// A page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pageable<K> {
    /// How many elements come before it.
    pub skipped: usize,
    /// How many elements it has at most.
    pub size: usize,
    /// What the list is sorted by, most important first, and whether the other way around.
    pub sort: Vec<(K, bool)>,
}

const SIZE_USUAL: u32 = 20;
/// Whoever asks for more gets this many: real clients ask for thousands to have them all.
const SIZE_MAX: u32 = 100;
/// What the document's own example sorts by: the type of the member, which its generator put there.
const PLACEHOLDER: &str = "string";

/// Reads the page asked for; `key` knows by name what the list can be sorted by.
pub(super) fn read<K>(
    params: &Params,
    key: impl Fn(&str) -> Option<K>,
) -> Result<Pageable<K>, Problem> {
    let mut asked = Asked::default();
    if let Some(printed) = params.get("pageable") {
        asked.printed(printed)?;
    }
    for name in ["page", "size", "sort"] {
        if let Some(value) = params.get(name) {
            asked.take(name, value.split(',').collect())?;
        }
    }
    let page = number("page", asked.page.as_deref(), 0)?;
    let size = number("size", asked.size.as_deref(), SIZE_USUAL)?;
    if size == 0 {
        return Err(Problem::bad_request("size must be at least 1"));
    }
    let size = size.min(SIZE_MAX) as usize;
    Ok(Pageable {
        skipped: size.saturating_mul(page as usize),
        size,
        sort: sort(&asked.sort.unwrap_or_default(), key)?,
    })
}

/// The words of each parameter, from wherever they came.
#[derive(Default)]
struct Asked<'p> {
    page: Option<Vec<&'p str>>,
    size: Option<Vec<&'p str>>,
    sort: Option<Vec<&'p str>>,
}

impl<'p> Asked<'p> {
    /// `page,0,size,20,sort,createdAt,desc`: each name is followed by its words.
    fn printed(&mut self, printed: &'p str) -> Result<(), Problem> {
        let mut words = printed.split(',').peekable();
        while let Some(name) = words.next() {
            let mut own = Vec::new();
            while let Some(word) = words.next_if(|word| !["page", "size", "sort"].contains(word)) {
                own.push(word);
            }
            if name == "sort" && own == [PLACEHOLDER] {
                own.clear();
            }
            self.take(name, own)?;
        }
        Ok(())
    }

    fn take(&mut self, name: &str, words: Vec<&'p str>) -> Result<(), Problem> {
        let place = match name {
            "page" => &mut self.page,
            "size" => &mut self.size,
            "sort" => &mut self.sort,
            _ => return Err(Problem::bad_request(PRINTED)),
        };
        if place.replace(words).is_some() {
            return Err(Problem::bad_request(format!("{name} is given twice")));
        }
        Ok(())
    }
}

const PRINTED: &str = "pageable must be written as page,0,size,20,sort,createdAt,desc";

fn number(name: &str, words: Option<&[&str]>, usual: u32) -> Result<u32, Problem> {
    let wrong = || Problem::bad_request(format!("{name} must be a whole number from 0"));
    match words {
        None => Ok(usual),
        Some([word]) if word.bytes().all(|byte| byte.is_ascii_digit()) => {
            let number = word.parse::<i32>().map_err(|_| wrong())?;
            Ok(number.unsigned_abs())
        }
        Some(_) => Err(wrong()),
    }
}

/// `createdAt,id,desc`: keys, and after them the direction of all of them.
fn sort<K>(words: &[&str], key: impl Fn(&str) -> Option<K>) -> Result<Vec<(K, bool)>, Problem> {
    let direction = |word: &&str| match word.to_ascii_lowercase().as_str() {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    };
    let (keys, reversed) = match words.split_last() {
        Some((last, keys)) if direction(last).is_some() => (keys, direction(last) == Some(true)),
        _ => (words, false),
    };
    if keys.len() > KEYS_MAX || (keys.is_empty() && !words.is_empty()) {
        return Err(Problem::bad_request(
            "sort names what to sort by, then asc or desc",
        ));
    }
    let known = |word: &&str| {
        let key = key(word).map(|key| (key, reversed));
        key.ok_or_else(|| Problem::bad_request("sort names something this list is not sorted by"))
    };
    keys.iter().map(known).collect()
}

/// More than any list can be sorted by.
const KEYS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(query: &str) -> Option<Pageable<char>> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let params = Params::new(pairs.into_owned()).ok()?;
        let key = |name: &str| match name {
            "createdAt" => Some('c'),
            "id" => Some('i'),
            _ => None,
        };
        read(&params, key).ok()
    }

    fn page(skipped: usize, size: usize, sort: &[(char, bool)]) -> Pageable<char> {
        let sort = sort.to_vec();
        Pageable {
            skipped,
            size,
            sort,
        }
    }

    #[test]
    fn s18_both_spellings_say_the_same() {
        let rows = [
            ("", page(0, 20, &[])),
            ("other=1", page(0, 20, &[])),
            ("page=2&size=5", page(10, 5, &[])),
            ("pageable=page,2,size,5", page(10, 5, &[])),
            ("pageable=size,5,page,2", page(10, 5, &[])),
            ("pageable=page,2&size=5", page(10, 5, &[])),
            ("sort=id", page(0, 20, &[('i', false)])),
            ("sort=id,desc", page(0, 20, &[('i', true)])),
            (
                "sort=createdAt,id,DESC",
                page(0, 20, &[('c', true), ('i', true)]),
            ),
            (
                "pageable=sort,createdAt,desc,size,7",
                page(0, 7, &[('c', true)]),
            ),
            // As the document prints it.
            ("pageable=page,0,size,1,sort,string", page(0, 1, &[])),
            (
                "pageable=page%2C0%2Csize%2C1%2Csort%2Cid",
                page(0, 1, &[('i', false)]),
            ),
            ("size=100", page(0, 100, &[])),
            ("size=101", page(0, 100, &[])),
            ("page=3&size=2147483647", page(300, 100, &[])),
        ];
        for (query, expected) in rows {
            assert_eq!(asked(query), Some(expected), "{query}");
        }
    }

    #[test]
    fn s18_what_cannot_be_read_is_refused() {
        for query in [
            "page=-1",
            "page=x",
            "page=1.0",
            "page=+1",
            "page=2147483648",
            "page=1,2",
            "size=0",
            "size=",
            "size=%20",
            "sort=string",
            "sort=password",
            "sort=createdat",
            "sort=desc",
            "sort=id,up",
            "sort=id,desc,createdAt",
            "sort=id,id,id,id,id,id,id,id,id",
            "pageable=0",
            "pageable=page",
            "pageable=page,0,1",
            "pageable=page,0,page,1",
            "pageable=page,0,order,1",
            "pageable=sort,string,desc",
            "pageable=page,0&page=1",
        ] {
            let is_empty = query.ends_with('=');
            assert_eq!(asked(query).is_some(), is_empty, "{query}");
        }
    }

    proptest! {
        #[test]
        fn s18_no_query_asks_for_more_than_a_hundred(query in "(pageable=|page=|size=|sort=)[a-z0-9,&=%-]{0,40}") {
            if let Some(page) = asked(&query) {
                prop_assert!((1..=100).contains(&page.size));
                prop_assert!(page.sort.len() <= KEYS_MAX);
            }
        }
    }
}
