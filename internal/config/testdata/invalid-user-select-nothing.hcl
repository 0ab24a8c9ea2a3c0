callhome {
  user_select {
    timeout = "1s"
  }
}

gateway {
  port = 830
}
