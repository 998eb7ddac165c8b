"""Our API and dashboard beside rq-dashboard, on one private redis-server full of jobs.

``python -m benchmarks.dashboard``. How it is measured, the same for all:

* 1,000,000 jobs wait on one queue and 100,000 have failed, each with a traceback; a tenth of that with ``--quick``. The
  records are as RQ and our workers leave them, and both sides read the same ones.
* ``mastowatch api``, ``mastowatch dashboard`` and ``rq-dashboard`` run as their users run them, each in a process of
  its own, and are asked over a connection that is kept, one request after the other; the first few do not count.
* A page is 50 jobs, at the start, the middle and the end. rq-dashboard's page is two requests: one for the frame, one
  for the jobs, which its script asks for. Ours is one.
* Commands, writes and bytes are what Redis counts itself, over all the requests, by page. Beside them our processes
  write a sign of life every few seconds, which is counted, too.
* A page that takes longer than the limit is given up, and its process is ended.
* Root has others who want the machine wait for these processes (SCHED_RR), so that a figure tells of the page and not
  of them; how much of it others had nevertheless is told at the end.
"""
