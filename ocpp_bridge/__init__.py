"""The station's words, and the node that holds the stations' sockets."""
