callhome {
  trust    = "aprove"
  liveness = "ping"
}

session "edge-1" {
  address   = "192.0.2.10"
  transport = "telnet"
}

log {
  level  = "warning"
  format = "xml"
}

gateway {
  port = 830
}
