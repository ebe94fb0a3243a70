// Kafka Streams' smoke test for fewer records than the program's 20,000 in 90 seconds: its own
// generator and verification. ShortSmokeTest BROKERS KEYS RECORDS_PER_KEY SECONDS
package org.apache.kafka.streams.tests;

import java.time.Duration;
import java.util.Map;
import java.util.Set;

public class ShortSmokeTest {
  public static void main(String[] arguments) {
    String brokers = arguments[0];
    int recordsPerKey = Integer.parseInt(arguments[2]);
    Map<String, Set<Integer>> sent =
        SmokeTestDriver.generate(
            brokers,
            Integer.parseInt(arguments[1]),
            recordsPerKey,
            Duration.ofSeconds(Integer.parseInt(arguments[3])));
    boolean exactlyOnce = true;
    boolean passed = SmokeTestDriver.verify(brokers, sent, recordsPerKey, exactlyOnce).passed();
    System.exit(passed ? 0 : 1);
  }
}
