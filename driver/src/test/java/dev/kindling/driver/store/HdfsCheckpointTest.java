package dev.kindling.driver.store;

import dev.kindling.worker.checkpoint.CheckpointStoreCases;
import dev.kindling.worker.checkpoint.TroubledSave;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
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

  /** Data nodes that are dead for a while. */
  private static final class LostNodes implements Trouble {
    private final int count;
    private final List<MiniDFSCluster.DataNodeProperties> stopped = new ArrayList<>();

    LostNodes(int count) {
      this.count = count;
    }

    @Override
    public void begin() {
      while (stopped.size() < count) {
        stopped.add(HDFS.cluster().stopDataNode(0));
      }
    }

    @Override
    public void end() throws IOException {
      for (MiniDFSCluster.DataNodeProperties node : stopped) {
        HDFS.cluster().restartDataNode(node, true);
      }
      HDFS.cluster().waitActive();
    }
  }

  @Test
  void dataNodesThatAreAllLostLoseNothingOnceTheyAreBack() throws IOException {
    assertSurvives(new LostNodes(2));
  }

  @Test
  void dataNodesThatAreAllLostInTheMiddleOfASaveLoseNothingOnceTheyAreBack() throws IOException {
    TroubledSave.check(storage("run"), new LostNodes(2), false);
  }

  @Test
  void aDataNodeThatIsLostInTheMiddleOfASaveIsNotNoticed() throws IOException {
    TroubledSave.check(storage("run"), new LostNodes(1), true);
  }
}
