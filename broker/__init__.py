"""One connection to an MQTT broker.

settings      where a broker is and how to log in
mqtt          the connection: publish, subscribe, poll
mqtt_events   what poll tells of
reasons       refusals and failures in words
permits       what a broker lets a client do, said by it or learned
packet_limit  a bound on what a broker can make us hold
secrets       passwords, keys and TLS from files
certificates  how long our certificate is valid, and asking for one
options       where the broker is, on the command line
mosquitto     a private broker for the demo and the tests
"""
