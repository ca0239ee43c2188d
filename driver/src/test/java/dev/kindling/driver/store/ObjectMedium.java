package dev.kindling.driver.store;

import dev.kindling.worker.store.Choices;
import dev.kindling.worker.store.CrashState;
import dev.kindling.worker.store.RecordedMedium;
import dev.kindling.worker.store.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * An object store under {@link HadoopStorage}. Its persistence: an object is there whole or not at
 * all, uploads that were not completed are gone, listings are current, and of several objects that
 * are deleted together any may be gone.
 */
final class ObjectMedium implements RecordedMedium {
  private final List<ObjectStore.Change> calls = Collections.synchronizedList(new ArrayList<>());
  private final Storage storage;

  ObjectMedium() {
    ObjectStore.Bucket bucket = new ObjectStore.Bucket();
    bucket.journal = calls::add;
    storage = storage(bucket);
  }

  static Storage storage(ObjectStore.Bucket bucket) {
    return new HadoopStorage(
        ObjectStore.of(bucket), new Path("s3a://memory/run"), CommitRule.CONDITIONAL_PUT);
  }

  @Override
  public Storage storage() {
    return storage;
  }

  @Override
  public int calls() {
    return calls.size();
  }

  @Override
  public Replay replay() {
    return new AfterCalls(List.copyOf(calls));
  }

  private static final class AfterCalls implements Replay {
    private final List<ObjectStore.Change> calls;
    private int made;
    private final TreeMap<String, byte[]> objects = new TreeMap<>();

    AfterCalls(List<ObjectStore.Change> calls) {
      this.calls = calls;
    }

    @Override
    public void advance() {
      ObjectStore.Change call = calls.get(made++);
      if (call.content() == null) {
        objects.keySet().removeAll(call.names());
      } else {
        call.names().forEach(name -> objects.put(name, call.content()));
      }
    }

    /** Those in the middle of the next call as well; an upload has none. */
    @Override
    public List<CrashState> states(int most, Random random) {
      List<String> leaving = List.of();
      if (made < calls.size() && calls.get(made).content() == null) {
        leaving = calls.get(made).names();
      }
      int[] counts = new int[leaving.size()];
      Arrays.fill(counts, 2);
      List<CrashState> states = new ArrayList<>();
      for (int[] choice : Choices.of(counts, most, random)) {
        TreeMap<String, byte[]> left = new TreeMap<>(objects);
        for (int i = 0; i < choice.length; i++) {
          if (choice[i] == 1) {
            left.remove(leaving.get(i));
          }
        }
        states.add(new CrashState(CrashState.digest(left), () -> opened(left)));
      }
      return states;
    }

    private static Storage opened(TreeMap<String, byte[]> objects) {
      ObjectStore.Bucket bucket = new ObjectStore.Bucket();
      bucket.objects.putAll(objects);
      return storage(bucket);
    }
  }
}
