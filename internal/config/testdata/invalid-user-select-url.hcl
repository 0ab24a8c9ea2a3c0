callhome {
  user_select {
    url = "inventory.example.net/select"
  }
}

gateway {
  port = 830
}
