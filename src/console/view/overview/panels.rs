//! The panels of the overview: revenue by day, renewals, failure codes, plans, the provider's health.

use ratatui::layout::Rect;

use super::super::super::model::Spot;
use super::super::super::theme::Role;
use super::super::chart::{self, Bar, Chosen};
use super::super::columns::{class_text, day_role, people_flag};
use super::super::figures;
use super::super::ink::{Ink, Span, Spans, span, spans_width};
use super::super::table::bar;
use super::super::words::{self, class_role, flag_role};
use super::Boxed;
use crate::engine::queries::{Health, Overview, RenewalDay};
use crate::text::{Align, Shown, fit, pad_left, width};

pub fn head(ink: &mut Ink<'_>, area: Rect, text: &str, boxed: Boxed) {
    let title = match boxed {
        Boxed::Yes => format!(" {text} "),
        Boxed::No => text.to_owned(),
    };
    ink.spans(area, area.y, &[span(title, Role::Title)]);
}

pub fn revenue(ink: &mut Ink<'_>, area: Rect, overview: &Overview, boxed: Boxed) {
    let past = ink.glyphs().bar_past;
    let title = ink
        .locale()
        .t_args("console.panel.revenue", &[("past", past)]);
    head(ink, area, &title, boxed);
    let bars: Vec<Bar> = overview
        .days
        .iter()
        .enumerate()
        .map(|(at, day)| Bar {
            value: day.captured,
            past: Some(day.year_ago),
            label: if at % 7 == 1 {
                ink.locale().short_date(words::day(day.date))
            } else {
                String::new()
            },
            chosen: Chosen::No,
        })
        .collect();
    let sums = u16::from(boxed == Boxed::Yes);
    let plot = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1 + sums),
    );
    chart::draw(ink, plot, &bars);
    if boxed == Boxed::Yes {
        let line = sums_line(ink, overview, usize::from(area.width));
        ink.spans(area, area.bottom() - 1, &line);
    }
}

/// What came in, what went back and what stayed. Where there is no room for every currency in full, figures are in larger
/// units; and where even that is too wide, whatever is short is whole, and what is left of the room is for the others.
fn sums_line(ink: &Ink<'_>, overview: &Overview, room: usize) -> Spans {
    let parts = [
        ("gross", overview.gross.clone()),
        ("refunds", figures::refunds(overview)),
        ("net", overview.net.clone()),
    ];
    let label = |id: &str| format!("{} ", ink.locale().label("money", id));
    let line = |gap: &str, texts: &[String]| -> Spans {
        let mut spans = Spans::new();
        for (at, ((id, _), text)) in parts.iter().zip(texts).enumerate() {
            let before = if at == 0 { "" } else { gap };
            spans.push(span(format!("{before}{}", label(id)), Role::Dim));
            spans.push(span(text.clone(), Role::Text));
        }
        spans
    };
    let model = ink.model;
    let whole = parts.each_ref().map(|(_, moneys)| model.moneys(moneys));
    let short = parts
        .each_ref()
        .map(|(_, moneys)| model.moneys_short(moneys));
    for (gap, texts) in [("   ", &whole), ("  ", &whole), ("  ", &short)] {
        let spans = line(gap, texts);
        if spans_width(&spans) <= room {
            return spans;
        }
    }
    let labels: usize = parts.iter().map(|(id, _)| width(label(id)) + 2).sum();
    let rooms = shares(whole.each_ref().map(width), room.saturating_sub(labels));
    let mut texts = whole;
    for ((text, (_, moneys)), room) in texts.iter_mut().zip(&parts).zip(rooms) {
        *text = model.moneys_in(moneys, room);
    }
    line("  ", &texts)
}

/// How much of `room` each gets: what it wants where that is less than its share, and the rest is shared by the others.
fn shares(wants: [usize; 3], room: usize) -> [usize; 3] {
    let mut order = [0, 1, 2];
    order.sort_by_key(|at| wants[*at]);
    let mut given = [0; 3];
    let mut left = room;
    for (taken, at) in order.into_iter().enumerate() {
        given[at] = wants[at].min(left / (3 - taken));
        left -= given[at];
    }
    given
}

pub fn renewals(
    ink: &mut Ink<'_>,
    area: Rect,
    overview: &Overview,
    chosen: Option<Spot>,
    boxed: Boxed,
) {
    let title = ink.t("console.panel.renewals");
    head(ink, area, &title, boxed);
    let height = area.height.saturating_sub(2);
    for (at, day) in overview
        .renewals
        .iter()
        .enumerate()
        .take(usize::from(height))
    {
        let y = area.y + 1 + u16::try_from(at).unwrap_or(0);
        let line = day_line(ink, day, area.width);
        ink.spans(area, y, &line);
        if chosen == Some(Spot::Day(at)) {
            ink.select(Rect::new(area.x, y, area.width, 1));
        }
    }
    if area.height < 3 {
        return;
    }
    let count: u64 = overview.renewals.iter().map(|day| day.count).sum();
    let sum = sums(overview);
    let total = ink.locale().t("common.money.total");
    let shown = overview.renewals.len().min(usize::from(height));
    let y = area.y + 1 + u16::try_from(shown).unwrap_or(0);
    let line = [
        span(fit(total, 11, Align::Left), Role::Dim),
        span(pad_left(ink.model.count(count), 5), Role::Text),
        span(pad_left(ink.model.moneys_in(&sum, 14), 14), Role::Title),
    ];
    ink.spans(area, y, &line);
}

fn sums(overview: &Overview) -> Vec<crate::domain::money::Money> {
    let mut sums: Vec<crate::domain::money::Money> = Vec::new();
    for money in overview.renewals.iter().flat_map(|day| &day.amounts) {
        match sums
            .iter_mut()
            .find(|sum| sum.currency() == money.currency())
        {
            Some(sum) => *sum = sum.checked_add(*money).unwrap_or(*sum),
            None => sums.push(*money),
        }
    }
    sums
}

/// Where there is no room for words, a flag is its mark and its count.
fn day_line(ink: &Ink<'_>, day: &RenewalDay, room: u16) -> Vec<Span> {
    let in_words = day_spans(ink, day, |text, _| format!("  {text} "));
    if spans_width(&in_words) <= usize::from(room) {
        return in_words;
    }
    day_spans(ink, day, |_, role| match role {
        Role::NeedsPerson => format!(" {}", ink.glyphs().needs_person),
        _ => format!(" {}", ink.glyphs().waits),
    })
}

fn day_spans(ink: &Ink<'_>, day: &RenewalDay, said: impl Fn(&str, Role) -> String) -> Vec<Span> {
    let role = day_role(day);
    let model = ink.model;
    let mut line = vec![
        span(fit(model.renewal_day(&day.day), 11, Align::Left), role),
        span(pad_left(model.count(day.count), 5), role),
        span(pad_left(model.moneys_in(&day.amounts, 14), 14), role),
    ];
    for (flag, count) in day.flags.iter().filter(|(_, count)| *count > 0) {
        let (text, _) = people_flag(ink, *flag);
        let role = flag_role(*flag);
        let text = said(&text, role);
        line.push(span(format!("{text}{}", model.count(*count)), role));
    }
    line
}

pub fn codes(
    ink: &mut Ink<'_>,
    area: Rect,
    overview: &Overview,
    chosen: Option<Spot>,
    boxed: Boxed,
) {
    let title = ink.t("console.panel.codes");
    head(ink, area, &title, boxed);
    let most = overview.codes.iter().map(|code| code.count).max();
    let most = i64::try_from(most.unwrap_or(0)).unwrap_or(0);
    let room = usize::from(area.width);
    let class_room = 13;
    let bar_room = if room > 56 { 12 } else { 0 };
    let code_room = room.saturating_sub(class_room + bar_room + 8);
    for (at, code) in overview
        .codes
        .iter()
        .enumerate()
        .take(usize::from(area.height.saturating_sub(1)))
    {
        let y = area.y + 1 + u16::try_from(at).unwrap_or(0);
        let count = i64::try_from(code.count).unwrap_or(0);
        let mut line = vec![
            span(
                fit(Shown::line(&code.code), code_room, Align::Left),
                Role::Text,
            ),
            span(pad_left(ink.model.count(code.count), 5), Role::Text),
        ];
        if bar_room > 0 {
            line.push(span(
                format!("  {}", bar(ink, count, most, bar_room)),
                Role::Bar,
            ));
        }
        line.push(span(
            format!(" {}", class_text(ink, code.class)),
            class_role(code.class),
        ));
        ink.spans(area, y, &line);
        if chosen == Some(Spot::Code(at)) {
            ink.select(Rect::new(area.x, y, area.width, 1));
        }
    }
}

pub fn plans(
    ink: &mut Ink<'_>,
    area: Rect,
    overview: &Overview,
    chosen: Option<Spot>,
    boxed: Boxed,
) {
    let title = ink.t("console.panel.plans");
    head(ink, area, &title, boxed);
    let most = overview.plans.first().map_or(0, |plan| plan.mrr.minor());
    let room = usize::from(area.width);
    let bar_room = if room > 44 { 8 } else { 0 };
    let name_room = room.saturating_sub(7 + 14 + bar_room + 2);
    for (at, plan) in overview
        .plans
        .iter()
        .enumerate()
        .take(usize::from(area.height.saturating_sub(1)))
    {
        let y = area.y + 1 + u16::try_from(at).unwrap_or(0);
        let mut line = vec![
            span(
                fit(Shown::line(&plan.plan.name), name_room, Align::Left),
                Role::Text,
            ),
            span(pad_left(ink.model.count(plan.active), 7), Role::Text),
            span(pad_left(ink.model.money(plan.mrr), 14), Role::Text),
        ];
        if bar_room > 0 {
            line.push(span(
                format!("  {}", bar(ink, plan.mrr.minor(), most, bar_room)),
                Role::Bar,
            ));
        }
        ink.spans(area, y, &line);
        if chosen == Some(Spot::Plan(at)) {
            ink.select(Rect::new(area.x, y, area.width, 1));
        }
    }
}

/// One line for each provider that was called, and one about all of them.
pub fn health_height(overview: &Overview) -> u16 {
    u16::try_from(overview.health.len()).unwrap_or(0) + 3
}

pub fn health(ink: &mut Ink<'_>, area: Rect, overview: &Overview) {
    let title = ink.t("console.panel.providers");
    let inner = ink.frame(area, &[span(title, Role::Title)], Role::Border);
    let mut y = inner.y;
    for (provider, health) in &overview.health {
        let name = ink.locale().label("provider", provider.as_str());
        let mut of_one = vec![span(fit(name, 15, Align::Left), Role::Text)];
        of_one.extend(calls_line(ink, health));
        ink.spans(inner, y, &of_one);
        y += 1;
    }
    let mut line: Spans = Vec::new();
    line.extend(approved(ink, overview));
    line.push(last_run(ink));
    let locale = ink.locale();
    if let Some(at) = overview.oldest_unknown_at {
        let age = ink.model.db_age(at);
        let count = ink.model.count(overview.unknown);
        let oldest = locale.t_args("console.panel.unknown", &[("n", &count), ("age", &age)]);
        line.push(span(
            format!("   {} {oldest}", ink.glyphs().unknown),
            Role::NeedsPerson,
        ));
    }
    if overview.waiting > 0 {
        let count = ink.model.count(overview.waiting);
        let text = locale.t_args("console.panel.waiting", &[("n", &count)]);
        line.push(span(
            format!("   {} {text}", ink.glyphs().needs_person),
            Role::NeedsPerson,
        ));
    }
    ink.spans(inner, y, &line);
}

/// What calls to one provider were like.
fn calls_line(ink: &Ink<'_>, health: &Health) -> Spans {
    let ms = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let text = ink.locale().t_args(
        "console.panel.health",
        &[
            ("p50", &ms(health.p50_ms)),
            ("p95", &ms(health.p95_ms)),
            ("calls", &ink.model.count(health.calls)),
            ("troubled", &ink.model.count(health.troubled)),
        ],
    );
    let mark = if health.troubled > 0 {
        span(format!("{} ", ink.glyphs().waits), Role::Waits)
    } else {
        span(format!("{} ", ink.glyphs().settled), Role::Settled)
    };
    vec![mark, span(text, Role::Text)]
}

/// The share of charges that were approved.
fn approved(ink: &Ink<'_>, overview: &Overview) -> Spans {
    let settled = overview.succeeded_attempts + overview.failed_attempts;
    let share = match settled {
        0 => "-".to_owned(),
        settled => {
            let part = i128::from(overview.succeeded_attempts) * 10_000;
            let share = i64::try_from(part / i128::from(settled)).unwrap_or(0);
            ink.locale().percent(share)
        }
    };
    let text = ink
        .locale()
        .t_args("console.panel.approved", &[("success", &share)]);
    vec![span(text, Role::Text)]
}

/// How long ago the last billing run began: what is due waits for the next one.
pub fn last_run(ink: &Ink<'_>) -> Span {
    let model = ink.model;
    let Some(at) = model.last_run else {
        return span(format!("   {}", ink.t("console.panel.no_run")), Role::Dim);
    };
    let text = model
        .locale()
        .t_args("console.panel.last_run", &[("age", &model.age(at))]);
    let is_late = (model.now.at - at).num_hours() >= LATE_HOURS;
    let role = if is_late {
        Role::NeedsPerson
    } else {
        Role::Dim
    };
    let mark = if is_late {
        ink.glyphs().needs_person
    } else {
        ""
    };
    span(format!("   {mark}{text}"), role)
}

/// Billing runs at least once a day.
const LATE_HOURS: i64 = 25;

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn what_is_short_is_whole_and_the_rest_is_for_the_others() {
        assert_eq!(shares([40, 4, 38], 60), [28, 4, 28]);
        assert_eq!(shares([10, 4, 8], 60), [10, 4, 8]);
        assert_eq!(shares([40, 40, 40], 61), [20, 20, 21]);
        assert_eq!(shares([40, 40, 40], 0), [0, 0, 0]);
    }
}
