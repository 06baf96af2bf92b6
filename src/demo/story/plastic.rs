//! Cards come, are replaced, and are forgotten by the provider.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Halt, SHOP, Story, Told, index, number};
use crate::demo::books::Press;
use crate::demo::cards::Plastic;
use crate::demo::declines::Trouble;
use crate::demo::load::Kept;
use crate::demo::rows;
use crate::demo::world::Event;
use crate::domain::attempt::Source;
use crate::domain::ids::MethodId;
use crate::domain::operator::Verb;
use crate::domain::states::MethodState;
use crate::sandbox::Behaviour;
use crate::sandbox::seed::SeedCard;
use crate::secret::Secret;
use crate::store::bulk::Table;

impl Story {
    /// A customer registers a card in the provider's window; we exchange the auth key.
    pub(super) fn register_card(&mut self, account: u32, at: DateTime<Utc>) -> Result<u32, Halt> {
        let issued = at + TimeDelta::milliseconds(self.chance.between(300, 1_400));
        let card = number(self.cards.len());
        let method = MethodId(i64::from(card) + 1);
        let id = self.chance.short_id(issued);
        let today = (self.local_date(at), issued.timestamp_micros());
        let plastic = Plastic::draw(&mut self.chance, method, id, account, today);
        let owner = self.accounts[index(account)].public_id();
        for (moment, after, result) in [
            (at, "", "intent"),
            (issued, plastic.public_id().as_str(), "done"),
        ] {
            let press = Press {
                person: SHOP,
                verb: Verb::SwapCard.as_str(),
                target: owner.as_str(),
                after,
                result,
                ..Press::default()
            };
            self.books.audit(moment, press)?;
        }
        let digest = self.chance.digest();
        let row = rows::issue(&plastic, digest, SHOP, at);
        self.books.row(Table::MethodIssue, row)?;
        self.books.keep(Kept::Card(Box::new(SeedCard {
            billing_key: self.chance.billing_key(card),
            customer_key: self.chance.customer_key(account),
            number: plastic.number(),
            issuer_code: plastic.issuer_code().to_owned(),
            expiry: Some(plastic.yymm()),
            behaviour: Behaviour::Approve,
            authenticated_at: issued,
            deleted_at: None,
        })))?;
        self.cards.push(plastic);
        Ok(card)
    }

    /// Another card for all that a customer has running; what is owed is charged at once.
    pub(super) fn swap_card(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let account = self.life(life).account;
        if self.life(life).sub.state.is_ended() {
            return Ok(());
        }
        self.replace_card(account, at)?;
        let after = at + TimeDelta::seconds(2);
        let who = (Verb::SwapCard.as_str(), SHOP, "");
        for owing in self.lives_of(account) {
            self.charge_owed(owing, Source::CardUpdate, who, after)?;
        }
        Ok(())
    }

    /// Whoever comes back brings a good card.
    pub(super) fn renew_card(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let card = self.account(account).card;
        let today = self.local_date(at);
        let card = self.card(card);
        let is_good =
            card.state == MethodState::Active && card.trouble.is_none() && !card.is_expired(today);
        if is_good {
            return Ok(());
        }
        self.replace_card(account, at - TimeDelta::minutes(2))
    }

    fn replace_card(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let old = self.account(account).card;
        let new = self.register_card(account, at)?;
        let before = self.card(old);
        if before.state == MethodState::Active {
            before.state = MethodState::Replaced;
            before.version += 1;
        }
        self.account(account).card = new;
        if self.chance.per_mille(30) {
            let trouble = Trouble::draw(&mut self.chance);
            self.card(new).trouble = Some(trouble);
        }
        let method = self.card(new).method;
        for life in self.lives_of(account) {
            let sub = &mut self.life(life).sub;
            if !sub.state.is_ended() {
                sub.method_id = Some(method);
                sub.version += 1;
            }
        }
        Ok(())
    }

    /// The provider deletes the key, and says so in an event.
    pub(super) fn delete_key(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let card = self.card_of(life);
        if self.card(card).state != MethodState::Active || self.life(life).sub.state.is_ended() {
            return Ok(());
        }
        let this = self.card(card);
        this.state = MethodState::Deleted;
        this.deleted_us = Some(at.timestamp_micros());
        this.version += 1;
        let key = Secret::new(self.chance.billing_key(card));
        let hash = crate::engine::ports::KeyVault::hash(&self.vault, &key);
        let digest = self.chance.digest();
        self.books.key_deleted(hash, &digest, at)?;
        let target = self.cards[index(card)].public_id();
        let press = Press {
            person: "provider",
            verb: "key_deleted",
            target: target.as_str(),
            before: MethodState::Active.as_str(),
            after: MethodState::Deleted.as_str(),
            result: "done",
            ..Press::default()
        };
        self.books.audit(at, press)?;
        if self.chance.per_mille(450) {
            let later = at + TimeDelta::days(self.chance.between(1, 21));
            self.calendar.put(later, Event::SwapCard(life));
        }
        Ok(())
    }
}
