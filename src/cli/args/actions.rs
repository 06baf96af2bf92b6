//! Arguments of the verbs that change something.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

/// The invoice that is to be charged.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// An invoice; or an attempt or subscription, meaning its unpaid invoice.
    #[arg(value_name = "ID")]
    pub target: String,
}

#[derive(Debug, Args)]
pub struct RefundArgs {
    /// A payment; or an invoice, meaning the payment that paid it.
    #[arg(value_name = "PAYMENT")]
    pub payment: String,
    /// How much, such as 3000 or 12.50, in the payment's currency.
    #[arg(
        long,
        allow_hyphen_values = true,
        conflicts_with = "full",
        required_unless_present = "full"
    )]
    pub amount: Option<String>,
    /// Everything that is left.
    #[arg(long)]
    pub full: bool,
    /// Why; it is stored and sent to the provider.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// What else happens to the subscription.
    #[arg(long, value_enum, default_value_t = AlsoCancelArg::No, value_name = "WHEN")]
    pub also_cancel: AlsoCancelArg,
    /// Above your limit: ask a second person, who has 30 minutes. Nothing is sent before.
    #[arg(long)]
    pub ask_approval: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlsoCancelArg {
    /// It goes on.
    No,
    /// It ends at once.
    Now,
    /// It ends when the paid period ends.
    AtEnd,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("when").required(true).args(["immediately", "at_end", "undo"])))]
pub struct CancelArgs {
    #[arg(value_name = "SUBSCRIPTION")]
    pub subscription: String,
    /// End it at once; here `--now` without a time means the same.
    #[arg(long)]
    pub immediately: bool,
    /// End it when the paid period ends.
    #[arg(long)]
    pub at_end: bool,
    /// Take a scheduled end back.
    #[arg(long)]
    pub undo: bool,
    /// Why; it is stored.
    #[arg(long, value_name = "TEXT", default_value = "", conflicts_with = "undo")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct SubscribeArgs {
    #[arg(value_name = "CUSTOMER")]
    pub customer: String,
    /// A plan's code or id.
    #[arg(value_name = "PLAN")]
    pub plan: String,
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub quantity: u32,
}

#[derive(Debug, Args)]
pub struct OneTimeArgs {
    #[arg(value_name = "CUSTOMER")]
    pub customer: String,
    /// How much, such as 5000 or 12.50.
    #[arg(value_name = "AMOUNT", allow_hyphen_values = true)]
    pub amount: String,
    #[arg(long, default_value = "KRW", value_name = "CODE")]
    pub currency: String,
    /// For what; the customer reads it.
    #[arg(long, value_name = "TEXT")]
    pub description: String,
}

#[derive(Debug, Subcommand)]
pub enum CheckoutCommand {
    /// Open a checkout: the order id it prints goes to the payment window in the browser.
    Open(OneTimeArgs),
    /// Confirm what the customer authenticated; a wrong amount is refused before anything is sent.
    Confirm(ConfirmArgs),
}

#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// From the browser's success page.
    #[arg(long, value_name = "KEY")]
    pub payment_key: String,
    /// From the browser's success page.
    #[arg(long, value_name = "ORDER")]
    pub order_id: String,
    /// From the browser's success page; compared with ours.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub amount: String,
    #[arg(long, default_value = "KRW", value_name = "CODE")]
    pub currency: String,
}

#[derive(Debug, Args)]
pub struct NoteArgs {
    /// A customer, payment or subscription.
    #[arg(value_name = "ID")]
    pub target: String,
    #[arg(value_name = "TEXT")]
    pub text: String,
}

#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// Create a customer.
    Create(CustomerCreateArgs),
}

#[derive(Debug, Args)]
pub struct CustomerCreateArgs {
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    #[arg(long, default_value = "", value_name = "ADDRESS")]
    pub email: String,
    #[arg(long, default_value = "", value_name = "NUMBER")]
    pub phone: String,
    /// What the provider will know the customer by; made at random when left out.
    #[arg(long, value_name = "KEY")]
    pub customer_key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum MethodCommand {
    /// Register a card from an auth key.
    Add(MethodArgs),
    /// Register another card; what is owed is charged with it.
    Swap(MethodArgs),
    /// Charge running subscriptions by this card from now on.
    Use(CardArgs),
    /// Charge a card no more, and have its provider forget it.
    Delete(CardArgs),
}

#[derive(Debug, Args)]
pub struct CardArgs {
    #[arg(value_name = "METHOD")]
    pub method: String,
}

#[derive(Debug, Args)]
pub struct MethodArgs {
    #[arg(long, value_name = "CUSTOMER")]
    pub customer: String,
    /// From the provider's window; single use: an auth key of Toss, or a payment method of Stripe (pm_…). Give `-` to read it
    /// from standard input.
    #[arg(long, value_name = "KEY")]
    pub auth_key: String,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Create a plan, and its product when the product's code is new.
    Create(PlanCreateArgs),
    /// Change a plan; running subscriptions keep their price.
    Edit(PlanEditArgs),
    /// Close a plan to new subscriptions.
    Deactivate(PlanTargetArgs),
}

#[derive(Debug, Args)]
pub struct PlanCreateArgs {
    /// Short unique name, such as pro-month.
    #[arg(value_name = "CODE")]
    pub code: String,
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Price per interval and unit, VAT included.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub price: String,
    #[arg(long, default_value = "KRW", value_name = "CODE")]
    pub currency: String,
    /// Code of the product it sells; by default the plan's own.
    #[arg(long, value_name = "CODE")]
    pub product: Option<String>,
    /// Name of the product, when it is new.
    #[arg(long, value_name = "TEXT")]
    pub product_name: Option<String>,
    /// day, week, month, quarter or year, with a count before it: 2-week.
    #[arg(long, default_value = "month", value_name = "INTERVAL")]
    pub interval: String,
    #[arg(long, default_value = "BASIC", value_name = "TIER")]
    pub tier: String,
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub trial_days: u32,
    /// What it includes; may be given more than once.
    #[arg(long = "feature", value_name = "TEXT")]
    pub features: Vec<String>,
}

#[derive(Debug, Args)]
pub struct PlanEditArgs {
    #[arg(value_name = "PLAN")]
    pub plan: String,
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Price of new terms, in the plan's currency.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub price: Option<String>,
    #[arg(long, value_name = "TIER")]
    pub tier: Option<String>,
    #[arg(long, value_name = "N")]
    pub trial_days: Option<u32>,
    /// Replaces the list; may be given more than once.
    #[arg(long = "feature", value_name = "TEXT")]
    pub features: Vec<String>,
    /// Open it to new subscriptions again.
    #[arg(long)]
    pub activate: bool,
}

#[derive(Debug, Args)]
pub struct PlanTargetArgs {
    /// A plan's code or id.
    #[arg(value_name = "PLAN")]
    pub plan: String,
}

#[derive(Debug, Subcommand)]
pub enum UnknownCommand {
    /// What is unknown, oldest first.
    List(super::PageArgs),
    /// Ask the provider about one attempt now; nothing is sent again.
    Resolve(ResolveArgs),
    /// Ask, and if the provider has not seen it send the same request again, under the same order id and key.
    SendAgain(ResolveArgs),
    /// Show the link at which the customer answers their bank, to be handed to them.
    Link(ResolveArgs),
    /// Ask a second person to agree that a charge was never executed; the provider's list is read first.
    NotExecuted(NotExecutedArgs),
}

#[derive(Debug, Args)]
pub struct NotExecutedArgs {
    #[arg(value_name = "ATTEMPT")]
    pub attempt: String,
    /// Why; it is stored.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// What supports it, such as what the provider's support wrote; it is stored.
    #[arg(long, value_name = "TEXT")]
    pub evidence: String,
}

#[derive(Debug, Subcommand)]
pub enum ApproveCommand {
    /// What waits for a second person: requests, and returns that were prepared.
    List,
    /// One of them.
    Show(TargetArgs),
    /// Approve it: it happens at once. Nobody approves their own request.
    Grant(GrantArgs),
    /// Turn it down, or give a prepared return up.
    Reject(RejectArgs),
}

#[derive(Debug, Args)]
pub struct GrantArgs {
    /// A request, or the attempt of a prepared return.
    #[arg(value_name = "ID")]
    pub target: String,
    /// A prepared return above your limit: ask a second person, who has 30 minutes. Nothing is sent before.
    #[arg(long)]
    pub ask_approval: bool,
}

#[derive(Debug, Args)]
pub struct RejectArgs {
    /// A request, or the attempt of a prepared return.
    #[arg(value_name = "ID")]
    pub target: String,
    /// Why; it is stored.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct ResolveArgs {
    #[arg(value_name = "ATTEMPT")]
    pub attempt: String,
}
