//! One verb, or one family of verbs, per file. They call the engine and the read models; they hold no rule.

pub mod act;
pub mod acting;
pub mod approve;
pub mod audit;
pub mod bill;
pub mod console;
pub mod demo;
pub mod demo_abroad;
pub mod doctor;
pub mod export;
pub mod find;
pub mod list;
pub mod mirror;
pub mod report;
pub mod service;
pub mod setup;
pub mod show;
pub mod vault;
