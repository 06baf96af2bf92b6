//! Figures of reports.

use crate::cli::record::Record;
use chrono::NaiveDate;

use crate::domain::movements::MrrReport;
use crate::engine::queries::{
    DayFigure, FeeFigure, FeeRow, MonthFigure, PlanRevenue, ProviderRevenue,
};

/// The columns people see of each report.
pub mod report_columns {
    pub const DAYS: &[&str] = &[
        "date", "captured", "refunded", "payments", "declined", "new",
    ];
    pub const DAYS_OF: &[&str] = &[
        "provider", "date", "captured", "refunded", "payments", "declined",
    ];
    pub const FEES: &[&str] = &[
        "provider",
        "currency",
        "charges",
        "charged",
        "refunded",
        "returned",
        "fees",
        "net_of_fees",
        "fee_unknown",
    ];
    pub const FEE_ENTRIES: &[&str] = &[
        "at",
        "provider",
        "kind",
        "payment_id",
        "amount",
        "fee",
        "net_of_fees",
    ];
    pub const MONTHS: &[&str] = &[
        "month",
        "gross",
        "refunds",
        "net",
        "payments",
        "refund_count",
    ];
    pub const PLANS: &[&str] = &["plan_name", "gross", "refunds", "payments"];
    pub const PROVIDERS: &[&str] = &[
        "provider",
        "gross",
        "refunds",
        "net",
        "payments",
        "refund_count",
    ];
}

pub fn day_figure(day: &DayFigure) -> Record {
    Record::of("day")
        .day("date", day.date)
        .money("captured", day.captured)
        .money("refunded", day.refunded)
        .number("payments", day.payments)
        .number("declined", day.declined)
        .number("new", day.new)
        .money("year_ago", day.year_ago)
}

/// The same of one provider. Who is new is not in it.
pub fn day_figure_of(day: &DayFigure) -> Record {
    Record::of("day")
        .day("date", day.date)
        .money("captured", day.captured)
        .money("refunded", day.refunded)
        .number("payments", day.payments)
        .number("declined", day.declined)
        .money("year_ago", day.year_ago)
}

/// What a provider kept; empty where it told nothing, which is not zero.
pub fn fee_figure(of: &FeeFigure) -> Record {
    let known = of.known.as_ref();
    Record::of("fees")
        .word("provider", "provider", of.provider.as_str())
        .word("currency", "", of.currency.code())
        .number_if("charges", known.map(|known| known.charges))
        .money("charged", known.map(|known| known.charged))
        .money("refunded", known.map(|known| known.refunded))
        .money("returned", known.map(|known| known.returned))
        .money("fees", known.map(|known| known.fees))
        .money("net_of_fees", known.map(|known| known.net))
        .number("fee_unknown", of.unknown)
}

/// A row of a provider's balance.
pub fn fee_entry(row: &FeeRow) -> Record {
    Record::of("fee")
        .at("at", row.fee.at)
        .word("provider", "provider", row.provider.as_str())
        .word("kind", "fee_kind", row.fee.kind.as_str())
        .id("payment_id", &row.payment)
        .money("amount", row.fee.amount)
        .money("fee", row.fee.fee)
        .money("net_of_fees", row.fee.net)
        .text("payment_key", &row.fee.provider_ref)
        .text("entry", &row.fee.entry_key)
}

pub fn month_figure(month: &MonthFigure) -> Record {
    Record::of("month")
        .text("month", &month.month.format("%Y-%m").to_string())
        .money("gross", month.gross)
        .money("refunds", month.refunds)
        .money("net", month.net)
        .number("payments", month.payments)
        .number("refund_count", month.refund_count)
}

pub fn plan_revenue(plan: &PlanRevenue) -> Record {
    Record::of("plan_revenue")
        .flag("one_time", plan.plan_id.is_none())
        .text("plan_name", &plan.name)
        .money("gross", plan.gross)
        .money("refunds", plan.refunds)
        .number("payments", plan.payments)
}

pub fn provider_revenue(of: &ProviderRevenue) -> Record {
    Record::of("provider_revenue")
        .word("provider", "provider", of.provider.as_str())
        .money("gross", of.gross)
        .money("refunds", of.refunds)
        .money("net", of.net)
        .number("payments", of.payments)
        .number("refund_count", of.refund_count)
}

/// One month's MRR in one currency. Shares are in basis points: 2222 is 22.22 %.
pub fn mrr(report: &MrrReport, month: NaiveDate) -> Record {
    Record::of("mrr")
        .text("month", &month.format("%Y-%m").to_string())
        .word("currency", "", report.currency.code())
        .money("start", report.start)
        .money("new", report.new)
        .money("reactivation", report.reactivation)
        .money("expansion", report.expansion)
        .money("contraction", report.contraction)
        .money("churn_voluntary", report.churn_voluntary)
        .money("churn_involuntary", report.churn_involuntary)
        .money("end", report.end)
        .money("at_risk", report.at_risk)
        .basis_points("at_risk_bp", report.at_risk_bp)
        .number("start_customers", report.start_customers)
        .number("end_customers", report.end_customers)
        .number("new_customers", report.new_customers)
        .number("churned_customers", report.churned_customers)
        .money("arr", report.arr)
        .money("arpu", report.arpu)
        .basis_points("logo_churn_standard_bp", report.logo_churn_standard_bp)
        .basis_points("logo_churn_stripe_bp", report.logo_churn_stripe_bp)
        .basis_points("gross_churn_bp", report.gross_churn_bp)
        .basis_points("net_churn_bp", report.net_churn_bp)
        .basis_points("nrr_bp", report.nrr_bp)
        .basis_points("grr_bp", report.grr_bp)
        .thousandths("quick_ratio_milli", report.quick_ratio_milli)
}
