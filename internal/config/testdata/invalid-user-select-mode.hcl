callhome {
  user_select {
    command = ["keys/plain"]
  }
}

gateway {
  port = 830
}
