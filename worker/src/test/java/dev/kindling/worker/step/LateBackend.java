package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A device that is as late as one may be: two runs may be in flight, and none begins before
 * somebody waits for it. So an input that is written too early, or an outcome that is read too
 * late, shows in the results.
 */
final class LateBackend implements Backend {
  private static final int SLOTS = 2;
  private static final Set<Role> TRAVELLING = Set.of(Role.INPUT, Role.STEP, Role.OUTPUT);

  private final Backend own;

  LateBackend(Backend own) {
    this.own = own;
  }

  @Override
  public String name() {
    return "late " + own.name();
  }

  @Override
  public Memory allocate(List<Variable> variables) {
    return new LateMemory(own.allocate(variables), variables);
  }

  @Override
  public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
    LateMemory late = (LateMemory) memory;
    return new LateProgram(own.compile(graph, late.own, communicators), late);
  }

  @Override
  public long bytesNeeded(List<Variable> variables, List<Graph> programs) {
    return own.bytesNeeded(variables, programs);
  }

  @Override
  public String choices() {
    return own.choices();
  }

  @Override
  public void adopt(String choices) {
    own.adopt(choices);
  }

  @Override
  public void close() {
    own.close();
  }

  private record Run(Program program, int slot) {}

  private static final class LateMemory implements Memory {
    private final Memory own;
    private final List<Variable> travelling;
    private final Map<String, Span> views = new HashMap<>();
    private final Deque<Run> inFlight = new ArrayDeque<>();

    LateMemory(Memory own, List<Variable> variables) {
      this.own = own;
      travelling = variables.stream().filter(v -> TRAVELLING.contains(v.role())).toList();
      for (Variable variable : travelling) {
        for (int slot = 0; slot < SLOTS; slot++) {
          views.put(variable.name() + slot, Span.allocate(variable.type().bytes()));
        }
      }
    }

    void submit(Program program, int slot) {
      if (inFlight.stream().anyMatch(run -> run.slot() == slot)) {
        throw new IllegalStateException("slot " + slot + " is in flight");
      }
      inFlight.addLast(new Run(program, slot));
    }

    @Override
    public long[] hashes(List<String> variables) {
      return own.hashes(variables);
    }

    @Override
    public Snapshot snapshot(List<String> copied) {
      return own.snapshot(copied);
    }

    @Override
    public int slots() {
      return SLOTS;
    }

    @Override
    public void await(int slot) {
      while (inFlight.stream().anyMatch(run -> run.slot() == slot)) {
        Run run = inFlight.removeFirst();
        move(run.slot(), Set.of(Role.INPUT, Role.STEP), true);
        run.program().run();
        move(run.slot(), Set.of(Role.OUTPUT), false);
      }
    }

    private void awaitAll() {
      for (int slot = 0; slot < SLOTS; slot++) {
        await(slot);
      }
    }

    private void move(int slot, Set<Role> roles, boolean toDevice) {
      for (Variable variable : travelling) {
        if (roles.contains(variable.role())) {
          Span view = span(variable.name(), slot);
          Span device = own.span(variable.name());
          Span from = toDevice ? view : device;
          (toDevice ? device : view).buffer().put(0, from.buffer(), 0, (int) from.bytes());
        }
      }
    }

    @Override
    public Span span(String variable, int slot) {
      Span view = views.get(variable + slot);
      return view == null ? own.span(variable) : view;
    }

    @Override
    public Span arena(Role role, int slot) {
      return role == Role.STEP ? span("step", slot) : own.arena(role);
    }

    @Override
    public void fetch(String variable) {
      awaitAll();
      own.fetch(variable);
    }

    @Override
    public void publish(String variable) {
      awaitAll();
      own.publish(variable);
    }

    @Override
    public void release(String variable) {
      own.release(variable);
    }

    @Override
    public void clear(Role role) {
      awaitAll();
      own.clear(role);
    }

    @Override
    public long bytes(Role role) {
      return own.bytes(role);
    }

    @Override
    public void close() {
      own.close();
      views.values().forEach(Span::close);
    }
  }

  private record LateProgram(Program own, LateMemory memory) implements Program {
    @Override
    public void run() {
      submit(0);
      memory.await(0);
    }

    @Override
    public void submit(int slot) {
      memory.submit(own, slot);
    }

    @Override
    public Graph graph() {
      return own.graph();
    }

    @Override
    public long activationBytes() {
      return own.activationBytes();
    }

    @Override
    public void close() {
      own.close();
    }
  }
}
