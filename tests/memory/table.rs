//! One table: rows with their committed version and, while a transaction works on them, the one that
//! only that transaction sees.

use std::sync::Arc;

/// A transaction's number.
pub type TxNo = u64;

#[derive(Debug)]
pub struct Slot<T> {
    pub committed: Option<Arc<T>>,
    pub dirty: Option<Arc<T>>,
    pub locked_by: Option<TxNo>,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self {
            committed: self.committed.clone(),
            dirty: self.dirty.clone(),
            locked_by: self.locked_by,
        }
    }
}

impl<T> Slot<T> {
    /// The version that `me` sees.
    pub fn seen_by(&self, me: TxNo) -> Option<&Arc<T>> {
        match &self.dirty {
            Some(dirty) if self.locked_by == Some(me) => Some(dirty),
            _ => self.committed.as_ref(),
        }
    }

    /// Somebody else holds it.
    pub fn is_held_from(&self, me: TxNo) -> bool {
        self.held_from(me).is_some()
    }

    /// Who else holds it.
    pub fn held_from(&self, me: TxNo) -> Option<TxNo> {
        self.locked_by.filter(|holder| *holder != me)
    }
}

/// What stands in the way of a unique value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    Nothing,
    /// This other transaction has to end first.
    Wait(TxNo),
    Refused,
}

/// Rows by number, from 1.
#[derive(Debug)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

fn index(id: i64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).map_or(i64::MAX, |index| index + 1)
}

impl<T> Table<T> {
    pub fn slot(&self, id: i64) -> Option<&Slot<T>> {
        self.slots.get(index(id))
    }

    pub fn slot_mut(&mut self, id: i64) -> Option<&mut Slot<T>> {
        self.slots.get_mut(index(id))
    }

    /// Every slot, in the order of the rows' numbers.
    pub fn slots(&self) -> &[Slot<T>] {
        &self.slots
    }

    pub fn next_id(&self) -> i64 {
        number(self.slots.len())
    }

    /// What `me` sees of the row.
    pub fn get(&self, id: i64, me: TxNo) -> Option<&Arc<T>> {
        self.slot(id)?.seen_by(me)
    }

    /// What everybody sees of the row.
    pub fn committed(&self, id: i64) -> Option<&Arc<T>> {
        self.slot(id)?.committed.as_ref()
    }

    /// Every row that everybody sees.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (i64, &Arc<T>)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(at, slot)| Some((number(at), slot.committed.as_ref()?)))
    }

    /// Every row that `me` sees.
    pub fn rows_of(&self, me: TxNo) -> impl DoubleEndedIterator<Item = (i64, &Arc<T>)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(at, slot)| Some((number(at), slot.seen_by(me)?)))
    }

    pub fn insert(&mut self, row: T, me: TxNo) -> i64 {
        self.slots.push(Slot {
            committed: None,
            dirty: Some(Arc::new(row)),
            locked_by: Some(me),
        });
        number(self.slots.len() - 1)
    }

    /// Makes room for a row of `me` and gives its number.
    pub fn reserve(&mut self, me: TxNo) -> i64 {
        self.slots.push(Slot {
            committed: None,
            dirty: None,
            locked_by: Some(me),
        });
        number(self.slots.len() - 1)
    }

    /// Puts a row where room was made for it.
    pub fn fill(&mut self, id: i64, row: T) {
        if let Some(slot) = self.slot_mut(id) {
            slot.dirty = Some(Arc::new(row));
        }
    }

    /// Whether another row than `except` has what must be unique.
    pub fn clash(&self, me: TxNo, except: Option<i64>, has_it: impl Fn(&T) -> bool) -> Clash {
        let mut found = Clash::Nothing;
        for (at, slot) in self.slots.iter().enumerate() {
            if except == Some(number(at)) {
                continue;
            }
            let has = |row: &Option<Arc<T>>| row.as_ref().is_some_and(|row| has_it(row));
            if let Some(holder) = slot.held_from(me)
                && slot.dirty.is_some()
            {
                if has(&slot.committed) || has(&slot.dirty) {
                    found = Clash::Wait(holder);
                }
            } else if slot.seen_by(me).is_some_and(|row| has_it(row)) {
                return Clash::Refused;
            }
        }
        found
    }

    /// Ends a transaction's hold on a row. Gives the versions before and after, where it changed.
    pub fn settle(&mut self, id: i64, me: TxNo, is_kept: Kept) -> Option<Changed<T>> {
        let slot = self.slot_mut(id)?;
        if slot.locked_by != Some(me) {
            return None;
        }
        slot.locked_by = None;
        let dirty = slot.dirty.take()?;
        match is_kept {
            Kept::No => None,
            Kept::Yes => {
                let before = slot.committed.replace(dirty.clone());
                Some((before, dirty))
            }
        }
    }

    /// How many rows stand there, seen or not.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

/// A row before and after a commit.
pub type Changed<T> = (Option<Arc<T>>, Arc<T>);

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Yes,
    No,
}
