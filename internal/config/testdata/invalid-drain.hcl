callhome {
  drain_rate = 0
  idle_close = "25h"
}

gateway {
  port          = 830
  drain_timeout = "2h"
}

session "edge-1" {
  address    = "192.0.2.10"
  idle_close = "-1s"
}
