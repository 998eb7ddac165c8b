"""Four ways of running jobs, side by side on one private redis-server: ``python -m benchmarks.queue``.

stock rq Worker, stock rq SimpleWorker, our ReliableWorker, and celery's prefork pool (acks_late, prefetch 1; once
with ignore_result, which is the stricter comparison, and once with results in Redis, as RQ keeps them).

How it is measured, the same for all:

* Jobs per second. The jobs, spread over the queues high, default and low, are enqueued before the workers start and
  their lists renamed away. The workers start and are warmed up by other jobs; then the lists are renamed back at once,
  and one last job a process is enqueued the ordinary way, so that whatever wakes a worker happens. Each job writes into
  shared memory when it began and ended. The figure is (n - 1) / (last end - first end): start-up and waking are not
  in it, everything that is done between two jobs is. Every job must have run exactly once.
* Engines take turns within each round, and a ratio is the median of the rounds' own ratios.
* Two processes are two workers for RQ and ours, each with its horse, and one celery with ``-c 2``.
* The modules of the jobs are loaded before the fork: that favours the stock Worker, which forks for every job.
* Pickup: from before the call that enqueues until the job function begins, at an idle worker, on one clock.
* Memory: PSS while a job runs. Commands and writes to Redis are counted in runs of their own, which are not timed.
"""
