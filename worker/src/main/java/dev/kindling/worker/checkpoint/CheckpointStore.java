package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.WatchedStorage;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes, commits, selects and loads generations under one checkpoint root.
 *
 * <p>Who does what: the driver claims an epoch for each attempt; every rank writes its parts with
 * {@link #writeParts}; rank 0 commits with {@link #commit}; on a restart one process selects with
 * {@link #newestValid} and every rank loads with {@link #load}. Everything throws {@link
 * CheckpointException}. One object may be used by several threads, except that {@code commit} is
 * for one at a time.
 */
public final class CheckpointStore {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointStore.class);
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final WatchedStorage storage;
  private final GenerationReader reader;

  /** For what one rank does while the others wait: it has the host for itself. */
  private final GenerationReader alone;

  private final int keep;
  private final PartCut cut;

  /** By generation, whether its bytes were good when this object last read them back. */
  private final Map<Layout.Point, Boolean> verdicts = new ConcurrentHashMap<>();

  private volatile String parent = "";

  private CheckpointStore(WatchedStorage storage, int keep, PartCut cut, Crew crew) {
    this.storage = storage;
    this.keep = keep;
    this.cut = cut;
    this.reader = new GenerationReader(storage, crew);
    this.alone = new GenerationReader(storage, crew.with(Crew.MOST_HANDS));
  }

  /**
   * Opens a checkpoint root; nothing is read or written yet.
   *
   * @param keep generations to keep; at least 2 that verified are kept whatever it says
   */
  public static CheckpointStore open(Storage storage, int keep) {
    return open(storage, keep, PartCut.USUAL);
  }

  /**
   * As {@link #open(Storage, int)}, with parts of another size than usual. No run asks for it: a
   * state that takes milliseconds to write has several parts only if a test says so.
   */
  public static CheckpointStore open(Storage storage, int keep, PartCut cut) {
    return new CheckpointStore(new WatchedStorage(storage, PATIENCE), keep, cut, Crew.ofProcess());
  }

  /**
   * As {@link #open(Storage, int)}, for a rank that shares the cores of its host with others.
   *
   * @param storage with the patience of whoever saves
   */
  public static CheckpointStore openOfRank(
      WatchedStorage storage, int keep, int rank, int ranksOnThisHost) {
    return new CheckpointStore(storage, keep, PartCut.USUAL, Crew.ofRank(rank, ranksOnThisHost));
  }

  GenerationReader reader() {
    return reader;
  }

  /**
   * Takes the next epoch; of several concurrent callers each gets another one, and only the highest
   * may commit.
   */
  public long claimEpoch() {
    try {
      return new Epochs(storage).claim();
    } catch (IOException failed) {
      throw CheckpointException.of(storage, Layout.EPOCHS, failed);
    }
  }

  /** Tells whether the storage still answers. */
  public WatchedStorage storage() {
    return storage;
  }

  /** How this store cuts a rank's tensors into parts. */
  public PartCut cut() {
    return cut;
  }

  /**
   * Writes the tensors that one rank owns as safetensors files, several at a time, durable on
   * return. Tensors are cut into parts and asked for as {@link PartCut} says, in order of their
   * names. On any failure nothing is left but spent names: a new try needs a new suffix on every
   * rank.
   *
   * @param generationSuffix 1 to 32 of 0-9 a-z, the same on all ranks
   */
  public List<PartDescriptor> writeParts(
      long epoch,
      long step,
      String generationSuffix,
      RankParts parts,
      List<? extends TensorSource> tensors) {
    String folder = Layout.generationFolder(new Layout.Point(epoch, step), generationSuffix);
    try {
      return new PartsWriter(storage, folder, parts, cut).write(tensors);
    } catch (CheckpointException failed) {
      throw reason(epoch, failed);
    }
  }

  /**
   * Reads every part back, then makes the generation exist by creating one small object. Unless a
   * store has lost that at once, nothing here throws after it: the hint and the retention are done
   * as well as they can be. One rank does it while the others wait.
   *
   * @return id of the generation
   */
  public String commit(CommitRequest request) {
    Layout.Point point = new Layout.Point(request.epoch(), request.step());
    String folder = Layout.generationFolder(point, request.generationSuffix());
    try {
      requireOwner(request.epoch());
      Coverage.check(folder, folder, request.worldSize(), request.parts());
      Failpoint.PART_READ_BACK.before();
      alone.verifyParts(request.parts());
      Failpoint.PART_READ_BACK.after();
      byte[] bytes = new ManifestWriter(storage, alone).write(request, folder, parent).bytes();
      Storage.Check owner =
          () -> {
            requireOwner(request.epoch());
            requireWanted(point);
          };
      if (!storage.commitExclusive(point.commitPath(), bytes, owner)) {
        throw new CheckpointException(
            point.commitPath() + ": expected a free name, found a commit");
      }
      if (alone.isStored(point, bytes)) {
        verdicts.put(point, true);
      }
      parent = point.id() + "#" + Hashing.sha256(bytes);
    } catch (IOException | CheckpointException failed) {
      new FailedSave(storage, reader, point, folder).delete(List.of(Layout.STATE, Layout.INDEX));
      throw reason(
          request.epoch(),
          failed instanceof IOException io
              ? CheckpointException.of(storage, point.commitPath(), io)
              : (CheckpointException) failed);
    }
    tidy(point);
    return point.id();
  }

  /**
   * Deletes the parts that one rank wrote for a save that failed on any: retention leaves the
   * current epoch alone, and a disk that is nearly full needs the room for the next try. Nothing is
   * thrown.
   */
  public void discard(
      long epoch, long step, String generationSuffix, List<PartDescriptor> written) {
    Layout.Point point = new Layout.Point(epoch, step);
    String folder = Layout.generationFolder(point, generationSuffix);
    FailedSave failed = new FailedSave(storage, reader, point, folder);
    List<String> files = written.stream().map(PartDescriptor::file).toList();
    storage.patiently("discard", () -> failed.delete(files));
  }

  /** Whoever waited for a commit in vain goes on without it, and interrupts. */
  private static void requireWanted(Layout.Point point) {
    if (Thread.currentThread().isInterrupted()) {
      throw new CheckpointException(point.commitPath() + ": given up before it was committed");
    }
  }

  /** The fence: only the owner of the highest epoch may commit. */
  private void requireOwner(long epoch) throws IOException {
    long highest = new Epochs(storage).highest();
    if (highest != epoch) {
      throw CheckpointException.fenced(storage.location(), epoch, highest);
    }
  }

  /** Files that vanish were orphans to a newer owner: that is it, if the storage still tells. */
  private CheckpointException reason(long epoch, CheckpointException failed) {
    AtomicReference<@Nullable CheckpointException> newer = new AtomicReference<>();
    storage.patiently("owner", () -> newer.set(fence(epoch)));
    CheckpointException fenced = newer.get();
    if (fenced != null && !failed.isFenced()) {
      fenced.addSuppressed(failed);
      return fenced;
    }
    return failed;
  }

  /** That somebody else owns the root, null where nobody does or the storage does not say. */
  private @Nullable CheckpointException fence(long epoch) {
    try {
      requireOwner(epoch);
    } catch (IOException | CheckpointException met) {
      if (met instanceof CheckpointException known && known.isFenced()) {
        return known;
      }
    }
    return null;
  }

  private void tidy(Layout.Point point) {
    try {
      Failpoint.HINT_REPLACE.before();
      storage.replace(
          Layout.LATEST, (point.id() + "\n").getBytes(java.nio.charset.StandardCharsets.US_ASCII));
      Failpoint.HINT_REPLACE.after();
      new Retention(storage, this, keep).run(point.epoch());
    } catch (IOException | CheckpointException failed) {
      LOG.warn(
          "checkpoint {} is committed; tidying up failed: {}", point.id(), failed.getMessage());
    }
  }

  /**
   * Revokes and deletes every generation from this step on, because the run goes back before it.
   * Names become free again: a generation of the same step may follow in the same epoch.
   */
  public void takeBack(long epoch, long step) {
    try {
      requireOwner(epoch);
      if (points(new ArrayList<>()).stream().allMatch(point -> point.step() >= step)) {
        // First, since with a hint and no commit a run counts as one that lost its checkpoints.
        storage.delete(Layout.LATEST);
      }
      new Retention(storage, this, keep).takeBack(epoch, step);
    } catch (IOException failed) {
      throw CheckpointException.of(storage, Layout.COMMITS, failed);
    }
  }

  /** Ids of all commits that are not revoked, newest first, verified or not. */
  public List<String> commits() {
    try {
      return points(new ArrayList<>()).stream().map(Layout.Point::id).toList();
    } catch (IOException failed) {
      throw CheckpointException.of(storage, Layout.COMMITS, failed);
    }
  }

  List<Layout.Point> points(List<String> refusals) throws IOException {
    return new Commits(storage).points(refusals);
  }

  /**
   * The newest generation by (epoch, step) that verifies to the last byte. Why newer ones were
   * refused is added to {@code refusals}, one line each.
   *
   * @return nothing only if there is no commit at all, or each was rolled back
   * @throws CheckpointException if commits exist and none can be loaded: never a silent fresh start
   */
  public Optional<Generation> newestValid(List<String> refusals) {
    List<String> reasons = new ArrayList<>();
    Failpoint.RESTORE_SELECT.before();
    try {
      Optional<String> job = JobIdentity.read(storage);
      for (Layout.Point point : points(reasons)) {
        Optional<Generation> generation = tryVerify(point, job, reasons);
        if (generation.isPresent()) {
          refusals.addAll(reasons);
          remember(generation.get());
          Failpoint.RESTORE_SELECT.after();
          return generation;
        }
      }
      if (reasons.isEmpty() || new Commits(storage).areAllRolledBack()) {
        return Optional.empty();
      }
    } catch (IOException failed) {
      throw CheckpointException.of(storage, Layout.COMMITS, failed);
    }
    throw CheckpointException.noneLoadable(storage.location(), reasons);
  }

  /**
   * Whether no attempt came as far as a commit that counts: there is none that was not rolled back,
   * and nothing remembers one. Parts without a commit are what a crash leaves and do not count.
   */
  public boolean neverCommitted() {
    try {
      return storage.list(Layout.HINT).isEmpty() && new Commits(storage).areAllRolledBack();
    } catch (IOException failed) {
      throw CheckpointException.of(storage, Layout.COMMITS, failed);
    }
  }

  /** Called where one rank works and the others wait. */
  private Optional<Generation> tryVerify(
      Layout.Point point, Optional<String> job, List<String> reasons) {
    try {
      Generation generation = alone.verify(point);
      String found = generation.manifest().jobId();
      if (job.isPresent() && !job.get().equals(found)) {
        throw new CheckpointException(
            point.commitPath() + ": expected job " + job.get() + ", found job " + found);
      }
      return Optional.of(generation);
    } catch (CheckpointException damaged) {
      reasons.add(damaged.getMessage());
    } catch (IOException unreadable) {
      reasons.add(point.commitPath() + ": " + CheckpointException.describe(unreadable));
    }
    return Optional.empty();
  }

  /**
   * One named generation, verified; for ranks that are told which one the driver selected, and for
   * tools.
   */
  public Generation generation(String id) {
    Layout.Point point =
        Layout.commitPoint(id + ".json")
            .orElseThrow(
                () ->
                    new CheckpointException(
                        "expected a generation like e0000000001-s000000000100, found another"
                            + " name"));
    try {
      Generation generation = reader.verify(point);
      remember(generation);
      return generation;
    } catch (IOException failed) {
      throw CheckpointException.of(storage, point.commitPath(), failed);
    }
  }

  private void remember(Generation generation) {
    verdicts.put(generation.manifest().point(), true);
    parent = generation.id() + "#" + generation.commitSha256();
  }

  /**
   * True if this object has read the generation back and found it good. A generation is read once:
   * gigabytes that were refused would be read again at every save.
   */
  boolean isVerified(Layout.Point point) throws IOException {
    Boolean known = verdicts.get(point);
    if (known == null) {
      Optional<String> job = JobIdentity.read(storage);
      known = tryVerify(point, job, new ArrayList<>()).isPresent();
      verdicts.put(point, known);
    }
    return known;
  }

  /**
   * Copies every tensor of a kind into its target. The targets' names are exactly the stored ones,
   * each with its shape; hashes are verified before a byte reaches a target and compared with the
   * targets' contents after.
   */
  public void load(Generation generation, PartKind kind, List<? extends TensorTarget> targets) {
    Map<String, TensorTarget> byName = new HashMap<>();
    for (TensorTarget target : targets) {
      if (byName.put(target.name(), target) != null) {
        throw new CheckpointException(
            "tensor " + target.name() + ": expected one target, found two");
      }
    }
    try {
      reader.load(generation, kind, byName);
    } catch (IOException failed) {
      throw CheckpointException.of(storage, generation.id(), failed);
    }
  }

  /**
   * A run of a stored tensor's bytes, from byte {@code from}; blocks are verified as they are read.
   */
  public void read(Generation generation, PartKind kind, String tensor, long from, Span target) {
    try {
      reader.read(generation, kind, tensor, from, target);
    } catch (IOException failed) {
      throw CheckpointException.of(storage, generation.id(), failed);
    }
  }
}
