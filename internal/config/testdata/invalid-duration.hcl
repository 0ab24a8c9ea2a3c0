callhome {
  reject_delay       = "5"
  failure_ttl        = "-1s"
  keepalive_interval = "0s"
  dead_after         = "2h"
}

gateway {
  port = 830
}
