//! Who pays: names as they occur, with addresses and phone numbers that fit.
//!
//! Surnames come by their real frequency, given names by the years people were born in. Mail
//! domains are those reserved for examples. Nobody here is anybody.

use serde::Deserialize;

use super::chance::Chance;
use super::options::DemoError;
use crate::locale::Lang;

const NAMES: &str = include_str!("../../assets/demo/people.toml");

/// What a kind of customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Company,
}

/// Contact data of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
}

type Written = (String, String);

#[derive(Debug, Deserialize)]
struct Given {
    weight: u32,
    first: Vec<Written>,
    second: Vec<Written>,
}

#[derive(Debug, Deserialize)]
struct English {
    first: Vec<String>,
    last: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Company {
    korean_first: Vec<String>,
    korean_second: Vec<String>,
    latin_first: Vec<String>,
    english_first: Vec<String>,
    english_second: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Mail {
    domains: Vec<(String, u32)>,
}

/// The names to draw from.
#[derive(Debug, Deserialize)]
pub(super) struct People {
    surnames: Vec<(String, u32, String)>,
    given: Vec<Given>,
    english: English,
    company: Company,
    mail: Mail,
}

impl People {
    pub(super) fn load() -> Result<Self, DemoError> {
        toml::from_str(NAMES).map_err(|error| DemoError::Asset {
            name: "people.toml",
            source: Box::new(error),
        })
    }

    /// One customer. Korean data has some English names in it, and the other way round.
    pub(super) fn draw(&self, chance: &mut Chance, lang: Lang) -> Contact {
        let of_other_tongue = chance.per_mille(60);
        let is_korean = (lang == Lang::Ko) != of_other_tongue;
        let is_company = chance.per_mille(110);
        let (name, handle) = match (is_company, is_korean) {
            (false, true) => self.korean_person(chance),
            (false, false) => self.english_person(chance),
            (true, true) => self.korean_company(chance),
            (true, false) => self.english_company(chance),
        };
        if is_company {
            let domain = format!("{handle}.example");
            let box_name = *chance.one_of(&["billing", "account", "office", "hello"]);
            return Contact {
                kind: Kind::Company,
                name,
                email: format!("{box_name}@{domain}"),
                phone: office_phone(chance),
            };
        }
        let domain = &chance.weighted(&self.mail.domains, |(_, weight)| *weight).0;
        Contact {
            kind: Kind::Person,
            name,
            email: format!("{handle}@{domain}"),
            phone: mobile_phone(chance),
        }
    }

    fn korean_person(&self, chance: &mut Chance) -> Written {
        let (surname, _, family) = chance.weighted(&self.surnames, |(_, weight, _)| *weight);
        let given = chance.weighted(&self.given, |given| given.weight);
        let first = chance.one_of(&given.first);
        let mut second = chance.one_of(&given.second);
        while second.0 == first.0 {
            second = chance.one_of(&given.second);
        }
        let name = format!("{surname}{}{}", first.0, second.0);
        let own = format!("{}{}", first.1, second.1);
        let number = chance.between(1, 9_999);
        let handle = match chance.between(0, 4) {
            0 => format!("{own}.{family}{number}"),
            1 => format!("{family}{own}{number}"),
            2 => format!("{}{}{number}", &family[..1], own),
            _ => format!("{own}{number}"),
        };
        (name, handle)
    }

    fn english_person(&self, chance: &mut Chance) -> Written {
        let first = chance.one_of(&self.english.first);
        let last = chance.one_of(&self.english.last);
        let number = chance.between(1, 999);
        let handle = latin(&format!("{first}.{last}"));
        (format!("{first} {last}"), format!("{handle}{number}"))
    }

    fn korean_company(&self, chance: &mut Chance) -> Written {
        let names = &self.company;
        let firsts: Vec<(&String, &String)> =
            names.korean_first.iter().zip(&names.latin_first).collect();
        let (first, handle) = *chance.one_of(&firsts);
        let second = chance.one_of(&names.korean_second);
        let name = match chance.between(0, 4) {
            0 => format!("㈜{first}{second}"),
            1 => format!("주식회사 {first}{second}"),
            2 => format!("{first}{second}(주)"),
            _ => format!("{first}{second}"),
        };
        (name, format!("{handle}{}", chance.between(1, 999)))
    }

    fn english_company(&self, chance: &mut Chance) -> Written {
        let first = chance.one_of(&self.company.english_first);
        let second = chance.one_of(&self.company.english_second);
        let number = chance.between(1, 999);
        (
            format!("{first} {second}"),
            format!("{}{number}", latin(first)),
        )
    }
}

/// What an address keeps of a name.
fn latin(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .filter_map(|c| match c {
            'ë' => Some('e'),
            'ü' => Some('u'),
            'ø' => Some('o'),
            c if c.is_ascii_alphanumeric() || c == '.' => Some(c),
            _ => None,
        })
        .collect()
}

fn mobile_phone(chance: &mut Chance) -> String {
    let (middle, end) = (chance.between(2_000, 10_000), chance.between(0, 10_000));
    match chance.between(0, 20) {
        0 => String::new(),
        1 => format!("+82 10-{middle:04}-{end:04}"),
        2 | 3 => format!("010{middle:04}{end:04}"),
        _ => format!("010-{middle:04}-{end:04}"),
    }
}

fn office_phone(chance: &mut Chance) -> String {
    let area = *chance.one_of(&["02", "031", "032", "051", "042", "070"]);
    let (middle, end) = (chance.between(200, 9_000), chance.between(0, 10_000));
    format!("{area}-{middle}-{end:04}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(count: usize, lang: Lang) -> Vec<Contact> {
        let people = People::load().unwrap();
        let mut chance = Chance::new(7);
        (0..count).map(|_| people.draw(&mut chance, lang)).collect()
    }

    fn is_hangul(name: &str) -> bool {
        name.chars().any(|c| ('가'..='힣').contains(&c))
    }

    #[test]
    fn korean_data_has_some_english_names_and_english_data_some_korean_ones() {
        for (lang, low, high) in [(Lang::Ko, 900, 980), (Lang::En, 20, 100)] {
            let hangul = draw(1_000, lang)
                .iter()
                .filter(|contact| is_hangul(&contact.name))
                .count();
            assert!((low..high).contains(&hangul), "{lang:?} {hangul}");
        }
    }

    #[test]
    fn one_in_five_is_called_kim() {
        let people: Vec<Contact> = draw(4_000, Lang::Ko)
            .into_iter()
            .filter(|contact| contact.kind == Kind::Person && is_hangul(&contact.name))
            .collect();
        let kims = people.iter().filter(|c| c.name.starts_with('김')).count();
        let share = kims * 1_000 / people.len();
        assert!((190..250).contains(&share), "{share}");
    }

    #[test]
    fn addresses_reach_nobody_and_names_fit_what_a_customer_may_have() {
        for contact in draw(2_000, Lang::Ko).into_iter().chain(draw(500, Lang::En)) {
            let (local, domain) = contact.email.split_once('@').expect("an address");
            assert!(!local.is_empty() && contact.email.is_ascii(), "{contact:?}");
            let is_reserved = domain.ends_with(".example") || domain.starts_with("example.");
            assert!(is_reserved, "{domain}");
            assert!((2..=100).contains(&contact.name.chars().count()));
        }
    }
}
