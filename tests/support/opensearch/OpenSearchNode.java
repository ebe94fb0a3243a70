// One OpenSearch node on 127.0.0.1 for a test; ends when its standard input does.
//
//   java … OpenSearchNode DIRECTORY HTTP_PORT TRANSPORT_PORT
//
// Prints "ready" when it answers.
import org.codelibs.opensearch.runner.OpenSearchRunner;

public class OpenSearchNode {
  public static void main(String[] args) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.onBuild((number, settings) -> {
      settings.put("network.host", "127.0.0.1");
      settings.put("http.port", args[1]);
      settings.put("transport.port", args[2]);
      settings.put("discovery.type", "single-node");
      for (String key : settings.keys().toArray(new String[0])) {
        if (key.startsWith("cluster.initial_") || key.startsWith("discovery.seed")) {
          settings.remove(key);
        }
      }
    }).build(OpenSearchRunner.newConfigs().clusterName("millrace-" + args[1]).numOfNode(1)
        .basePath(args[0]).disableESLogger());
    runner.ensureYellow();
    System.out.println("ready");
    System.out.flush();
    while (System.in.read() >= 0) {
    }
    runner.close();
    System.exit(0);
  }
}
