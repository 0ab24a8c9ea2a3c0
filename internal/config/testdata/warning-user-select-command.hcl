callhome {
  user_select {
    command = ["keys/hook-of-all"]
  }
}

gateway {
  port = 830
}
