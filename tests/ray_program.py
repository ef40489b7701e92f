"""Two replicas on Ray Serve for a test: reads commands on stdin, says on stdout what it has done.

Run as a program: checkpoint, port and digest of a key. `redeploy` replaces the replicas, the end
of stdin stops them with grace.
"""

import sys

from interplay.server.limits import Limits
from interplay.server.ray_replica import Plan
from interplay.server.ray_serve import RayConfig, connect, deploy, stop


def main() -> None:
    model, port, key = sys.argv[1:]
    limits = Limits(max_lag_s=600.0, drain_s=60.0, resume_s=120.0)  # tests run on busy machines
    plan = Plan(model=model, num_slots=2, keys=(key,), limits=limits)
    config = RayConfig(num_replicas=2, host="127.0.0.1", port=int(port), num_cpus=0.5)
    connect(config)
    deploy(plan, config)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "redeploy":
            deploy(plan, config)
            print("redeployed", flush=True)
    stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
