callhome {
  user_select {
    command = ["keys"]
  }
}

gateway {
  port = 830
}
