//! Every key there is, and what kind of value it takes. A `*` stands for a name that people choose.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Flag,
    Wholes,
    Texts,
}

impl Kind {
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Whole => "a whole number",
            Self::Flag => "true or false",
            Self::Wholes => "a list of whole numbers",
            Self::Texts => "a list of texts in quotes",
        }
    }
}

pub(super) const KEYS: &[(&str, Kind)] = &[
    ("mode", Kind::Text),
    ("database.url", Kind::Text),
    ("provider.toss.base_url", Kind::Text),
    ("provider.toss.secret_key", Kind::Text),
    ("provider.toss.secret_key_file", Kind::Text),
    ("provider.stripe.base_url", Kind::Text),
    ("provider.stripe.secret_key", Kind::Text),
    ("provider.stripe.secret_key_file", Kind::Text),
    ("provider.stripe.return_url", Kind::Text),
    ("routing.rules", Kind::Texts),
    ("billing.zone", Kind::Text),
    ("billing.hour", Kind::Whole),
    ("billing.concurrency", Kind::Whole),
    ("billing.catch_up_periods", Kind::Whole),
    ("billing.send_contact", Kind::Flag),
    ("dunning.days", Kind::Wholes),
    ("dunning.hour", Kind::Whole),
    ("dunning.needs_customer_days", Kind::Whole),
    ("dunning.end_action", Kind::Text),
    ("limits.refund.support", Kind::Texts),
    ("limits.refund.oncall", Kind::Texts),
    ("limits.refund.finance", Kind::Texts),
    ("limits.refund.admin", Kind::Texts),
    ("limits.refunds_per_day", Kind::Whole),
    ("limits.daily_multiple", Kind::Whole),
    ("people.*.uid", Kind::Whole),
    ("people.*.uids", Kind::Wholes),
    ("people.*.keys", Kind::Texts),
    ("people.*.roles", Kind::Texts),
    ("vault.key_file", Kind::Text),
    ("vault.previous_key_files", Kind::Texts),
    ("vault.spool_dir", Kind::Text),
    ("ui.name", Kind::Text),
    ("ui.lang", Kind::Text),
    ("ui.color", Kind::Text),
    ("ui.mouse", Kind::Flag),
    ("ui.clipboard", Kind::Text),
    ("ui.title", Kind::Flag),
    ("ui.mask_personal", Kind::Flag),
    ("log.dir", Kind::Text),
    ("log.level", Kind::Text),
    ("log.keep_days", Kind::Whole),
    ("timeouts.connect_s", Kind::Whole),
    ("timeouts.total_s", Kind::Whole),
    ("timeouts.database_s", Kind::Whole),
    ("leases.attempt_s", Kind::Whole),
    ("leases.run_s", Kind::Whole),
    ("leases.manual_ready_s", Kind::Whole),
    ("leases.look_ups_s", Kind::Wholes),
    ("leases.look_ups_then_s", Kind::Whole),
];

pub(super) fn kind_of(key: &str) -> Option<Kind> {
    KEYS.iter()
        .find(|(known, _)| matches(known, key))
        .map(|(_, kind)| *kind)
}

/// Whether keys lie below this path.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|(known, _)| {
        let depth = path.split('.').count();
        known.split('.').count() > depth && same_segments(known, path)
    })
}

fn matches(known: &str, key: &str) -> bool {
    known.split('.').count() == key.split('.').count() && same_segments(known, key)
}

fn same_segments(known: &str, path: &str) -> bool {
    known
        .split('.')
        .zip(path.split('.'))
        .all(|(known, given)| known == "*" || known == given)
}

/// The known key that was probably meant: the same name elsewhere, or few letters away.
pub(super) fn suggestion(key: &str) -> Option<&'static str> {
    let last = key.rsplit('.').next().unwrap_or(key);
    let elsewhere = || {
        KEYS.iter()
            .map(|(known, _)| *known)
            .find(|known| known.rsplit('.').next() == Some(last))
    };
    let nearest = KEYS
        .iter()
        .map(|(known, _)| (distance(known, key), *known))
        .min()?;
    let near_enough = 1 + key.len() / 5;
    if nearest.0 <= near_enough {
        Some(nearest.1)
    } else {
        elsewhere()
    }
}

/// How many letters to insert, delete or replace.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (to, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[to + 1];
            row[to + 1] = replaced.min(row[to] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_misplaced_key_is_recognised() {
        assert_eq!(suggestion("databse.url"), Some("database.url"));
        assert_eq!(suggestion("dunning.day"), Some("dunning.days"));
        assert_eq!(
            suggestion("provider.secret_key_file"),
            Some("provider.toss.secret_key_file")
        );
        assert_eq!(suggestion("zone"), Some("billing.zone"));
        assert_eq!(suggestion("colour.of.the.moon"), None);
    }

    #[test]
    fn people_have_names_of_their_own() {
        assert_eq!(kind_of("people.kim.roles"), Some(Kind::Texts));
        assert_eq!(kind_of("people.kim.shoes"), None);
        assert!(is_section("people.김"));
        assert!(!is_section("people.kim.roles"));
    }
}
