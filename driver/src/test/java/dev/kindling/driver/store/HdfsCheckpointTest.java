package dev.kindling.driver.store;

import dev.kindling.worker.checkpoint.CheckpointStoreCases;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class HdfsCheckpointTest extends CheckpointStoreCases {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  private final Path root = SmallHdfs.freshRoot();

  @Override
  protected Storage storage(String run) throws IOException {
    return HDFS.storage(new Path(root, run));
  }

  @Override
  protected int claims() {
    return 24;
  }

  /** The name node refuses a new block as a full disk would. */
  @Test
  void aFullStoreLosesNothing() throws IOException {
    assertSurvives(
        new Trouble() {
          @Override
          public void begin() throws IOException {
            HDFS.files().setQuota(root, HdfsConstants.QUOTA_DONT_SET, 1);
          }

          @Override
          public void end() throws IOException {
            HDFS.files().setQuota(root, HdfsConstants.QUOTA_DONT_SET, HdfsConstants.QUOTA_RESET);
          }
        });
  }

  @Test
  void dataNodesThatAreAllLostLoseNothingOnceTheyAreBack() throws IOException {
    MiniDFSCluster cluster = HDFS.cluster();
    assertSurvives(
        new Trouble() {
          private final MiniDFSCluster.DataNodeProperties[] stopped =
              new MiniDFSCluster.DataNodeProperties[2];

          @Override
          public void begin() {
            stopped[0] = cluster.stopDataNode(0);
            stopped[1] = cluster.stopDataNode(0);
          }

          @Override
          public void end() throws IOException {
            for (MiniDFSCluster.DataNodeProperties node : stopped) {
              cluster.restartDataNode(node, true);
            }
            cluster.waitActive();
          }
        });
  }
}
