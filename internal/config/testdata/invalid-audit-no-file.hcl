audit {
  on_failure = "stop"
}

gateway {
  port = 830
}
