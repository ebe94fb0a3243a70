import java.lang.reflect.Constructor;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/**
 * Iceberg's own REST catalog on a port of 127.0.0.1, its tables in a directory. Arguments: port, directory, and more
 * properties of the catalog: 'warehouse=s3://lake', and 's3.…' for its own access to that. With 'include-credentials=true'
 * it gives these credentials to whoever loads a table.
 */
public class IcebergCatalog {
  public static void main(String[] arguments) throws Exception {
    String directory = arguments[1];
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.setConf(new Configuration());
    Map<String, String> properties = new HashMap<>(Map.of(
        "uri", "jdbc:sqlite:" + directory + "/catalog.db",
        "warehouse", "file://" + directory + "/warehouse",
        "jdbc.schema-version", "V1"));
    for (int i = 2; i < arguments.length; i++) {
      String[] property = arguments[i].split("=", 2);
      properties.put(property[0], property[1]);
    }
    catalog.initialize("catalog", properties);
    // Its own server listens on all interfaces.
    Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    ServletContextHandler context = new ServletContextHandler();
    context.setContextPath("/");
    context.addServlet(new ServletHolder(new RESTCatalogServlet(adapter(catalog, properties))), "/*");
    server.setHandler(context);
    server.start();
    server.join();
  }

  /** As its own server makes it, which has it for itself. */
  private static RESTCatalogAdapter adapter(Catalog catalog, Map<String, String> properties) throws Exception {
    Class<?> context = Class.forName("org.apache.iceberg.rest.RESTCatalogServer$CatalogContext");
    Constructor<?> newContext = context.getDeclaredConstructor(Catalog.class, Map.class);
    newContext.setAccessible(true);
    Constructor<?> newAdapter =
        Class.forName("org.apache.iceberg.rest.RESTServerCatalogAdapter").getDeclaredConstructor(context);
    newAdapter.setAccessible(true);
    return (RESTCatalogAdapter) newAdapter.newInstance(newContext.newInstance(catalog, properties));
  }
}
