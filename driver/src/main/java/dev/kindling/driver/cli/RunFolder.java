package dev.kindling.driver.cli;

import static java.nio.file.StandardOpenOption.CREATE_NEW;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.driver.experiment.RunHistory;
import dev.kindling.driver.launch.RunMirror;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.PeftDirectory;
import dev.kindling.worker.plan.PlanChange;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.pretrained.PinnedInputs;
import dev.kindling.worker.store.OwnerLock;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A run folder in the hands of this driver, and of no other until it is closed: the one place that
 * turns command line, YAML and {@code --set} into a plan in a run folder.
 */
public final class RunFolder implements AutoCloseable {
  private static final String CONFIG = RunMirror.CONFIG;
  private static final String LOCK = "run.lock";

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");

  /** A killed driver is cleared away by the kernel within this time. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  private final StorageLocation folder;
  private final RunMirror files;
  private final Path config;

  /** Only on this machine's file systems; elsewhere the epochs of the checkpoints fence. */
  private final @Nullable OwnerLock owner;

  private RunFolder(StorageLocation folder, RunMirror files, @Nullable OwnerLock owner) {
    this.folder = folder;
    this.files = files;
    this.config = files.folder().resolve(CONFIG);
    this.owner = owner;
  }

  /** {@code runs/NAME-DATE-TIME} after the configuration's file name. */
  static String freshName(Path config) {
    String stem = String.valueOf(config.getFileName()).replaceFirst("\\.ya?ml$", "");
    String time =
        DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss", Locale.ROOT).format(LocalDateTime.now());
    return "runs/" + stem + "-" + time;
  }

  /**
   * Takes a folder for a new run; made if it is absent.
   *
   * @throws PlanException if it cannot be made, or another driver works on it
   */
  static RunFolder own(String folder) throws InterruptedException {
    return own(StorageLocation.of(folder), Map.of());
  }

  /**
   * As {@link #own(String)}.
   *
   * @param settings of the folder's store, as Spark is given them
   */
  static RunFolder own(StorageLocation folder, Map<String, String> settings)
      throws InterruptedException {
    @Nullable OwnerLock owner = folder.isLocal() ? lock(Path.of(folder.text())) : null;
    return new RunFolder(folder, mirror(folder, settings), owner);
  }

  private static RunMirror mirror(StorageLocation folder, Map<String, String> settings) {
    try {
      return RunMirror.of(folder, settings);
    } catch (IOException e) {
      throw new PlanException(folder + ": cannot be read: " + e);
    }
  }

  private static OwnerLock lock(Path folder) throws InterruptedException {
    Path lock = folder.resolve(LOCK);
    try {
      PrivateFolder.make(folder);
    } catch (IOException e) {
      throw new PlanException(folder + ": expected a folder that exists or can be made: " + e);
    }
    try {
      return OwnerLock.take(lock, PATIENCE)
          .orElseThrow(
              () ->
                  new PlanException(
                      folder
                          + ": another driver works on this run ("
                          + OwnerLock.owner(lock)
                          + "); wait for its end or stop it first"));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot lock " + lock, e);
    }
  }

  /**
   * Takes the folder of a run.
   *
   * @throws PlanException if it holds no run, or another driver works on it
   */
  static RunFolder ownRun(String text) throws InterruptedException {
    StorageLocation folder = StorageLocation.of(text);
    if (folder.isLocal() && !Files.exists(Path.of(folder.text()).resolve(CONFIG))) {
      throw noRun(folder);
    }
    RunFolder owned = own(folder, Map.of());
    if (!Files.exists(owned.config)) {
      owned.files.close();
      throw noRun(folder);
    }
    return owned;
  }

  private static PlanException noRun(StorageLocation folder) {
    return new PlanException(
        folder
            + " holds no run (no "
            + CONFIG
            + "); start one with: kindling train CONFIG.yaml --run-dir "
            + folder);
  }

  /**
   * Writes the {@code config.yaml} of a new run. What a run left that ended before its first step
   * is no run, and is replaced.
   *
   * @throws PlanException if the folder already holds a run
   */
  RunRequest start(TrainPlan given, ProgressMode progress) {
    Optional<String> trace = RunHistory.trace(checkpoints(given), files.folder());
    if (trace.isPresent()) {
      throw new PlanException(
          folder
              + " already holds a run ("
              + trace.get()
              + "); go on with: kindling resume "
              + folder
              + ", or choose another --run-dir");
    }
    List<String> lost = given.spark().lostSecrets();
    if (!lost.isEmpty()) {
      throw new PlanException(
          "spark.conf: expected values of "
              + String.join(", ", lost)
              + ", found the words that a run folder has in their places");
    }
    TrainPlan plan = PinnedInputs.pin(given.absolute());
    requireAdapter(plan);
    CompanionFiles.keep(plan, folder, plan.spark().conf());
    write(plan);
    List<String> warnings = new java.util.ArrayList<>(secrets(plan));
    warnings.addAll(plan.warnings());
    return new RunRequest(plan, folder, files, false, progress, warnings, () -> {});
  }

  /**
   * Resolves the resumption of a run. A changed configuration is written by {@link
   * RunRequest#firstStep}: one with which nothing works must not take the place of one that does.
   *
   * @param accepted keys of {@code --accept-change}
   * @throws PlanException if a key changed that must not
   */
  RunRequest resume(List<String> sets, List<String> accepted, ProgressMode progress) {
    ConfigDocument document = ConfigDocument.read(config);
    Map<String, String> stored = new SecretsFile(config).read();
    TrainPlan written = PlanReader.read(document, List.of()).value();
    TrainPlan before = written.withSecrets(stored);
    TrainPlan told = PlanReader.read(document, sets).value();
    TrainPlan after = told.withSecrets(stored).absolute();
    List<String> warnings =
        new java.util.ArrayList<>(PlanChange.check(before.absolute(), after, accepted));
    warnings.addAll(lost(told, stored));
    warnings.addAll(secrets(after));
    warnings.addAll(after.warnings());
    boolean older = !written.equals(written.withoutSecrets());
    if (older) {
      protect(); // That version kept them here.
    }
    PinnedInputs.require(after, CheckpointStore.open(checkpoints(after), 2).neverCommitted());
    Runnable firstStep = before.equals(after) && !older ? () -> {} : () -> write(after);
    return new RunRequest(after, folder, files, true, progress, warnings, firstStep);
  }

  /** An adapter that the run begins at must be one of its model. */
  private static void requireAdapter(TrainPlan plan) {
    PeftDirectory.of(plan.adapter())
        .ifPresent(
            path -> {
              ModelFamily model = ExplainPage.graphs(plan).model();
              try (PeftDirectory directory = PeftDirectory.open(path)) {
                directory.check(model, plan.adapter().projection(model, plan.seed()));
              }
            });
  }

  private Storage checkpoints(TrainPlan plan) {
    return folder.resolve(WorkerTask.CHECKPOINTS).open(plan.spark().conf());
  }

  private List<String> secrets(TrainPlan plan) {
    List<String> keys = plan.spark().secretKeys();
    return keys.isEmpty()
        ? List.of()
        : List.of(
            new SecretsFile(config).path()
                + " holds secrets ("
                + String.join(", ", keys)
                + ") and is readable by its owner only; spark-submit --properties-file keeps them"
                + " out of it");
  }

  private List<String> lost(TrainPlan told, Map<String, String> stored) {
    List<String> keys =
        told.spark().lostSecrets().stream().filter(key -> !stored.containsKey(key)).toList();
    return keys.isEmpty()
        ? List.of()
        : List.of(
            new SecretsFile(config).path()
                + " does not hold "
                + String.join(", ", keys)
                + ": expected from spark-submit --properties-file");
  }

  /**
   * Hides the values in {@code config.yaml}; a folder that was copied may have lost its
   * permissions.
   */
  private void protect() {
    try {
      Files.setPosixFilePermissions(config, OWNER_ONLY);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot hide the secrets of " + config, e);
    }
  }

  /** Whole or not at all: a crash in between must not leave half a configuration. */
  private void write(TrainPlan plan) {
    Path fresh = config.resolveSibling(CONFIG + ".new");
    try {
      new SecretsFile(config).write(plan.spark().secrets());
      Files.deleteIfExists(fresh);
      Files.writeString(
          fresh, PlanReader.toYaml(plan.withoutSecrets()), StandardCharsets.UTF_8, CREATE_NEW);
      Failpoint.CONFIG_WRITE.before();
      Files.move(fresh, config, StandardCopyOption.ATOMIC_MOVE);
      Failpoint.CONFIG_WRITE.after();
      files.publish(CONFIG);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + folder.resolve(CONFIG), e);
    }
  }

  @Override
  public void close() throws IOException {
    try {
      files.close();
    } finally {
      if (owner != null) {
        owner.close();
      }
    }
  }
}
