//! A courier that writes down what it is given, and fails or hangs when it is told to.

use std::sync::{Arc, Mutex};

use admit::domain::ports::{Answer, Courier, Message, Undelivered};
use admit::jobs::Couriers;

/// What a courier does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes it away.
    Takes,
    /// Fails, and may be asked again.
    Fails,
    /// Fails for good.
    Refuses,
    /// Never answers.
    Hangs,
}

/// A courier of a test.
pub(crate) struct Recording {
    mood: Mutex<Mood>,
    given: Mutex<Vec<Message>>,
}

impl Recording {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(mood),
            given: Mutex::default(),
        })
    }

    pub(crate) fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Every message it was given, also those it did not take.
    pub(crate) fn given(&self) -> Vec<Message> {
        self.given.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Message {
        self.given().last().expect("no message came").clone()
    }
}

impl Courier for Recording {
    fn name(&self) -> &'static str {
        "recording"
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>> {
        self.given.lock().unwrap().push(message.clone());
        let mood = *self.mood.lock().unwrap();
        let undelivered = |is_final| Undelivered {
            reason: "the gateway answers 502".into(),
            is_final,
        };
        Box::pin(async move {
            match mood {
                Mood::Takes => Ok(()),
                Mood::Fails => Err(undelivered(false)),
                Mood::Refuses => Err(undelivered(true)),
                Mood::Hangs => std::future::pending().await,
            }
        })
    }
}

/// The same courier on every channel.
pub(crate) fn everywhere(courier: &Arc<Recording>) -> Couriers {
    let courier = || Some(Arc::clone(courier) as Arc<dyn Courier>);
    Couriers {
        sms: courier(),
        voice: courier(),
        email: courier(),
    }
}
