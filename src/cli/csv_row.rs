//! A record as a line of CSV: a fixed header for every list, amounts as decimals beside their currency.

use super::args::ListKind;
use super::record::{Field, Record, rfc3339};
use crate::text::csv::{Cell, push_row};

/// Column names of records like this one, in order.
pub fn header(record: &Record) -> String {
    let mut names = Vec::new();
    for (name, field) in record.fields() {
        match field {
            Field::Money(_) => {
                names.push((*name).to_owned());
                names.push(format!("{name}_currency"));
            }
            Field::Record(_) | Field::Records(_) => {}
            _ => names.push((*name).to_owned()),
        }
    }
    let cells: Vec<Cell<'_>> = names.iter().map(|name| Cell::Text(name)).collect();
    let mut line = String::new();
    push_row(&mut line, &cells);
    line
}

/// The same of a list without rows, so that an empty export is a table too. A test compares the two.
pub const fn head_of(list: ListKind) -> &'static str {
    match list {
        ListKind::Customers => "object,mode,id,name,email,phone,subscriptions,created_at",
        ListKind::Subscriptions | ListKind::Renewals => {
            "object,mode,id,customer_id,customer_name,plan,plan_name,state,amount,\
             amount_currency,next_due_at,cancel_at,paid_until,card,card_provider,card_issuer,card_expiry,\
             card_state,flags,created_at"
        }
        ListKind::Failed => {
            "object,mode,invoice_id,customer_id,customer_name,invoice_state,\
             subscription_state,what,amount,amount_currency,provider,code,class,attempts,dunning_used,\
             dunning,next_attempt_at,first_failed_at,open_attempt"
        }
        ListKind::Payments => {
            "object,id,customer_id,customer_name,what,captured,captured_currency,refunded,\
             refunded_currency,reserved,reserved_currency,captured_at,card,card_provider,card_issuer,\
             card_expiry,card_state,order_id,provider,payment_key,duplicate,mode,\
             installment_months,three_d_secure"
        }
        ListKind::Plans => {
            "object,mode,id,code,name,product_name,price,price_currency,interval_unit,\
             interval_count,tier,trial_days,features,active,subscriptions,trialing,mrr,\
             mrr_currency,created_at"
        }
        ListKind::Unknown => {
            "object,mode,id,kind,state,customer_id,customer_name,amount,amount_currency,\
             provider,order_id,source,first_sent_at,last_sent_at,send_count,checks,not_seen,\
             next_check_at,last_outcome,link_until,last_evidence_at,needs_human,operator"
        }
        ListKind::Wishes => {
            "object,mode,asked,state,subscription_id,invoice_id,customer_id,customer_name,amount,\
             amount_currency,operator,reason,first_sent_at,send_count,code,class,next_check_at,\
             needs_human,can,again_from"
        }
        ListKind::Runs => {
            "object,mode,id,state,operator,host,until,started_at,finished_at,stop_reason,due,\
             done,declined,unknown,not_sent,not_executed,zero_amount,canceled,skipped,under_way"
        }
        ListKind::Events => {
            "object,mode,id,kind,state,tries,received_at,provider,about,subscription_id,\
             happened_at,processed_at,error,advice"
        }
        ListKind::Activity => {
            "object,at,person,verb,target,before,after,reason,result,provider_ref,approver,\
             mode,chain,seq,hash"
        }
    }
}

/// Appends one row. Nested records have no column.
pub fn push(out: &mut String, record: &Record) {
    let mut values = Vec::with_capacity(record.fields().len() + 2);
    for (_, field) in record.fields() {
        push_values(&mut values, field);
    }
    let cells: Vec<Cell<'_>> = values.iter().map(Value::cell).collect();
    push_row(out, &cells);
}

enum Value {
    Text(String),
    Number(i64),
    Amount { minor: i64, exponent: u8 },
    Empty,
}

impl Value {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Text(text) => Cell::Text(text),
            Self::Number(number) => Cell::Number(*number),
            Self::Amount { minor, exponent } => Cell::Amount {
                minor: *minor,
                exponent: *exponent,
            },
            Self::Empty => Cell::Empty,
        }
    }

    fn text(text: Option<String>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

fn push_values(values: &mut Vec<Value>, field: &Field) {
    let value = match field {
        Field::Text(text) => Value::text(text.as_ref().map(|text| text.as_str().to_owned())),
        Field::Id(text) | Field::Word(_, text) => Value::text(text.clone()),
        Field::Words(_, codes) => Value::Text(codes.join(" ")),
        Field::Sums(sums) => {
            let sums: Vec<String> = sums.iter().map(ToString::to_string).collect();
            Value::Text(sums.join("; "))
        }
        Field::At(at) => Value::text(at.map(rfc3339)),
        Field::Day(day) => Value::text(day.map(|day| day.to_string())),
        Field::Number(number) | Field::BasisPoints(number) | Field::Thousandths(number) => {
            number.map_or(Value::Empty, Value::Number)
        }
        Field::Flag(yes) => Value::Text(if *yes { "true" } else { "false" }.to_owned()),
        Field::Money(Some(amount)) => {
            let currency = amount.currency();
            values.push(Value::Amount {
                minor: amount.minor(),
                exponent: currency.exponent(),
            });
            Value::Text(currency.code().to_owned())
        }
        Field::Money(None) => {
            values.push(Value::Empty);
            Value::Empty
        }
        Field::Record(_) | Field::Records(_) => return,
    };
    values.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{Currency, Money};

    #[test]
    fn h08_a_row_has_its_headers_columns_and_no_formula() {
        let record = Record::of("payment")
            .text("customer_name", "=cmd|' /C calc'!A0")
            .money("captured", Money::new(29_000, Currency::USD))
            .money("refunded", None);
        let mut row = String::new();
        push(&mut row, &record);
        assert_eq!(
            header(&record),
            "object,customer_name,captured,captured_currency,refunded,refunded_currency\r\n"
        );
        assert_eq!(row, "payment,\"'=cmd|' /C calc'!A0\",290.00,USD,,\r\n");
    }
}
