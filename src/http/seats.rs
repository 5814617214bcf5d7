//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places for connections.
#[derive(Debug)]
pub(super) struct Seats {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Seats {
    pub(super) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, unless there is none; it is free again when dropped.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = owner(address);
        let mut taken = self.lock();
        let theirs = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= self.total || theirs >= self.per_address {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, theirs + 1);
        drop(taken);
        Some(Seat {
            seats: Arc::clone(self),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Entry::Occupied(mut entry) = taken.by_address.entry(self.address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// An IPv6 client has a /64 to itself, so its addresses count as one.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_place() {
        let seats = Seats::new(3, 2);
        let (greedy, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = seats.take(greedy).unwrap();
        let _second = seats.take(greedy).unwrap();
        assert!(seats.take(greedy).is_none());
        let _third = seats.take(other).unwrap();
        assert!(seats.take(other).is_none(), "three in all");
        drop(first);
        assert!(seats.take(other).is_some());
        assert!(seats.take(greedy).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let seats = Seats::new(9, 1);
        let _one = seats.take("2001:db8:7:1::5".parse().unwrap()).unwrap();
        assert!(seats.take("2001:db8:7:1:ffff::".parse().unwrap()).is_none());
        assert!(seats.take("2001:db8:7:2::5".parse().unwrap()).is_some());
        let _v4 = seats.take("192.0.2.1".parse().unwrap()).unwrap();
        assert!(seats.take("::ffff:192.0.2.1".parse().unwrap()).is_none());
    }
}
