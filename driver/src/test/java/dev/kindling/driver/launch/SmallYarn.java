package dev.kindling.driver.launch;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/** One resource manager and two node managers in this JVM; their containers are real processes. */
final class SmallYarn implements AutoCloseable {
  private static final int NODES = 2;

  private final MiniYARNCluster cluster;

  private SmallYarn(MiniYARNCluster cluster) {
    this.cluster = cluster;
  }

  /**
   * @param files the cluster's file system
   */
  static SmallYarn start(String files) {
    YarnConfiguration settings = new YarnConfiguration();
    settings.set("fs.defaultFS", files);
    settings.set("yarn.nodemanager.resource.memory-mb", "6144");
    settings.set("yarn.nodemanager.resource.cpu-vcores", "4");
    settings.set("yarn.scheduler.minimum-allocation-mb", "256");
    settings.set("yarn.scheduler.capacity.root.queues", "default");
    settings.set("yarn.scheduler.capacity.root.default.capacity", "100");
    settings.set("yarn.scheduler.capacity.maximum-am-resource-percent", "1.0");
    // The disk of a test machine may be fuller than a data node's.
    settings.set("yarn.nodemanager.disk-health-checker.enable", "false");
    settings.set("yarn.nodemanager.delete.debug-delay-sec", "600");
    MiniYARNCluster cluster = new MiniYARNCluster("kindling", NODES, 1, 1);
    cluster.init(settings);
    cluster.start();
    return new SmallYarn(cluster);
  }

  /** Writes what a client reads under HADOOP_CONF_DIR. */
  void writeSettings(Path folder) throws IOException {
    Files.createDirectories(folder);
    Configuration settings = cluster.getConfig();
    for (String name : new String[] {"core-site.xml", "yarn-site.xml"}) {
      try (OutputStream out = Files.newOutputStream(folder.resolve(name))) {
        settings.writeXml(out);
      }
    }
  }

  @Override
  public void close() {
    cluster.stop();
  }
}
