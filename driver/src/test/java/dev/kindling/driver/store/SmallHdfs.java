package dev.kindling.driver.store;

import dev.kindling.worker.store.Storage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** One name node and two data nodes for all tests of a JVM: a start takes seconds. */
public final class SmallHdfs implements BeforeAllCallback {
  private static final AtomicInteger ROOTS = new AtomicInteger();

  private record Running(MiniDFSCluster cluster) implements AutoCloseable {
    @Override
    public void close() {
      cluster.shutdown(true);
    }
  }

  private MiniDFSCluster cluster;

  @Override
  public void beforeAll(ExtensionContext context) {
    cluster =
        context
            .getRoot()
            .getStore(ExtensionContext.Namespace.create(SmallHdfs.class))
            .getOrComputeIfAbsent("cluster", key -> new Running(start()), Running.class)
            .cluster();
  }

  private static MiniDFSCluster start() {
    try {
      HdfsConfiguration settings = new HdfsConfiguration();
      // A dead data node is noticed in seconds, and a client gives up on a write soon.
      settings.setInt("dfs.heartbeat.interval", 1);
      settings.setInt("dfs.namenode.heartbeat.recheck-interval", 500);
      settings.setInt("dfs.client.block.write.locateFollowingBlock.retries", 1);
      settings.setInt("dfs.client.retry.max.attempts", 1);
      settings.setInt("dfs.client.max.block.acquire.failures", 1);
      settings.setInt("dfs.client.retry.window.base", 50);
      settings.setInt("ipc.client.connect.max.retries", 1);
      File folder = Files.createTempDirectory("hdfs").toFile();
      MiniDFSCluster cluster = new MiniDFSCluster.Builder(settings, folder).numDataNodes(2).build();
      cluster.waitActive();
      return cluster;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  MiniDFSCluster cluster() {
    return cluster;
  }

  public DistributedFileSystem files() throws IOException {
    return cluster.getFileSystem();
  }

  /** A root that nobody has used. */
  public static Path freshRoot() {
    return new Path("/kindling/" + ROOTS.incrementAndGet());
  }

  Storage storage(Path root) throws IOException {
    return new HadoopStorage(files(), files().makeQualified(root), CommitRule.RENAME);
  }
}
