//! Work of an actor in a task of its own.
//!
//! While an actor waits (`Context::wait`), whatever else it does stands still in the middle, with what it holds. A
//! connection to the database that was handed to it just then would be held for as long; and where the wait was for the
//! database, nobody would ever get it back. A task goes on meanwhile, and only what follows from it waits for the actor.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix::fut::future::FutureWrap;
use actix::prelude::*;
use tokio::task::JoinHandle;

pub(crate) trait Apart: Future + Sized + 'static
where
    Self::Output: 'static,
{
    /// Begins at once, and ends unfinished when nobody awaits it any more, as when the actor ends.
    fn apart<A: Actor>(self, actor: &A) -> FutureWrap<Task<Self::Output>, A> {
        Task(actix::spawn(self)).into_actor(actor)
    }
}

impl<F: Future + 'static> Apart for F where F::Output: 'static {}

#[derive(Debug)]
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(output) => Poll::Ready(output),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and the actor with it.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::Semaphore;

    /// The one connection to a database.
    struct Holder(Arc<Semaphore>);

    impl Actor for Holder {
        type Context = actix::Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            let work = |one: Arc<Semaphore>| async move {
                let held = one.acquire().await;
                tokio::task::yield_now().await;
                drop(held);
            };
            // Handed to the first while the actor waits for the second.
            ctx.spawn(work(Arc::clone(&self.0)).apart(self).map(|(), _, _| ()));
            let waits = Arc::clone(&self.0);
            ctx.run_later(Duration::from_millis(20), move |this, ctx| {
                this.0.add_permits(1);
                ctx.wait(work(waits).into_actor(this).map(|(), _, ctx| ctx.stop()));
            });
        }
    }

    #[actix::test]
    async fn what_an_actor_does_beside_goes_on_while_it_waits() {
        let holder = Holder(Arc::new(Semaphore::new(0))).start();
        let ended = async {
            while holder.connected() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the wait is over");
    }

    #[actix::test]
    async fn what_nobody_awaits_any_more_ends() {
        let one = Arc::new(Semaphore::new(1));
        let held = Arc::clone(&one);
        let task = Task(actix::spawn(async move {
            let _held = held.acquire().await;
            std::future::pending::<()>().await;
        }));
        tokio::task::yield_now().await;
        assert_eq!(one.available_permits(), 0);
        drop(task);
        let freed = tokio::time::timeout(Duration::from_secs(5), one.acquire());
        assert!(freed.await.expect("let go").is_ok());
    }
}
