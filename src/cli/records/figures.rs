//! Figures of reports.

use crate::cli::record::Record;
use chrono::NaiveDate;

use crate::domain::movements::MrrReport;
use crate::engine::queries::{DayFigure, MonthFigure, PlanRevenue, ProviderRevenue};

/// The columns people see of each report.
pub mod report_columns {
    pub const DAYS: &[&str] = &[
        "date", "captured", "refunded", "payments", "declined", "new",
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
