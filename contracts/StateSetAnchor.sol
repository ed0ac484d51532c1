// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AnchorEvents} from "./AnchorEvents.sol";
import {SequencerSet} from "./SequencerSet.sol";
import {VesHashes} from "./VesHashes.sol";

/// @title Anchors of sealed VES batches
/// @notice Holds the roots of each stream's sealed batches. A stream is a (tenant, store) pair. Its batches are anchored in
/// order from sequence number 1, without a gap, and each extends the state root of the one before: what is anchored can
/// neither fork nor skip, whoever holds a sequencer's key. Every batch can be asked whether an event is in it.
/// @dev Ids are UUIDs, left-aligned in bytes32. Nothing that is anchored can be changed or removed, by nobody.
contract StateSetAnchor is AnchorEvents, SequencerSet {
    /// @dev Four slots. The end of the range follows from its start and the count; a count of 0 is no batch.
    struct Commitment {
        bytes32 eventsRoot;
        bytes32 stateRoot;
        bytes16 tenant;
        bytes16 store;
        uint64 sequenceStart;
        uint64 anchoredAt;
        uint32 eventCount;
        uint32 sequencer;
    }

    /// @dev How far a stream is anchored. `isPinned` spares streams that are not a look into `_pins`.
    struct Head {
        bytes32 stateRoot;
        uint64 latestSequence;
        bool isPinned;
    }

    /// @dev A batch as it was given.
    struct Batch {
        bytes32 batchId;
        bytes32 tenantId;
        bytes32 storeId;
        bytes32 eventsRoot;
        bytes32 stateRoot;
        uint64 sequenceStart;
        uint64 sequenceEnd;
        uint32 eventCount;
    }

    /// @dev Length of the signature that a leaf covers.
    uint256 private constant SIGNATURE_LENGTH = 64;

    uint64 private _anchoredCount;
    mapping(bytes32 batchId => Commitment) private _commitments;
    mapping(bytes32 streamId => Head) private _heads;
    mapping(bytes32 streamId => address[]) private _pins;

    /// @param initialOwner May change the sequencers, and nothing of what is anchored
    /// @param initialSequencers Authorised from the start
    constructor(address initialOwner, address[] memory initialSequencers)
        SequencerSet(initialOwner, initialSequencers)
    {}

    /// @notice Anchors the next batch of a stream. Authorised sequencers only.
    /// @param batchId Any that is not anchored yet
    /// @param tenantId The stream's tenant, a left-aligned UUID
    /// @param storeId The stream's store, a left-aligned UUID
    /// @param eventsRoot Root of the Merkle tree over the batch's events (`merkle_root`)
    /// @param stateRoot The stream's state root after the batch (`new_state_root`); computed here too, and compared
    /// @param sequenceStart The stream's last anchored number + 1
    /// @param sequenceEnd Number of the batch's last event
    /// @param eventCount `sequenceEnd - sequenceStart + 1`
    function anchor(
        bytes32 batchId,
        bytes32 tenantId,
        bytes32 storeId,
        bytes32 eventsRoot,
        bytes32 stateRoot,
        uint64 sequenceStart,
        uint64 sequenceEnd,
        uint32 eventCount
    ) external {
        _anchoredCount += 1;
        Batch memory batch = Batch({
            batchId: batchId,
            tenantId: tenantId,
            storeId: storeId,
            eventsRoot: eventsRoot,
            stateRoot: stateRoot,
            sequenceStart: sequenceStart,
            sequenceEnd: sequenceEnd,
            eventCount: eventCount
        });
        _anchor(batch, _numberOf(msg.sender));
    }

    /// @notice Anchors several batches, all or none, each as {anchor} does. Batches of one stream stand in its order.
    /// @dev The errors name the batch that they are about. Arrays of one length, one element for each batch.
    function anchorBatch(
        bytes32[] memory batchIds,
        bytes32[] memory tenantIds,
        bytes32[] memory storeIds,
        bytes32[] memory eventsRoots,
        bytes32[] memory stateRoots,
        uint64[] memory sequenceStarts,
        uint64[] memory sequenceEnds,
        uint32[] memory eventCounts
    ) external {
        uint32 sequencer = _numberOf(msg.sender);
        if (batchIds.length == 0) revert NothingToAnchor();
        _requireLength(batchIds.length, tenantIds.length);
        _requireLength(batchIds.length, storeIds.length);
        _requireLength(batchIds.length, eventsRoots.length);
        _requireLength(batchIds.length, stateRoots.length);
        _requireLength(batchIds.length, sequenceStarts.length);
        _requireLength(batchIds.length, sequenceEnds.length);
        _requireLength(batchIds.length, eventCounts.length);
        _anchoredCount += uint64(batchIds.length);
        Batch memory batch;
        for (uint256 i = 0; i < batchIds.length; i++) {
            batch.batchId = batchIds[i];
            batch.tenantId = tenantIds[i];
            batch.storeId = storeIds[i];
            batch.eventsRoot = eventsRoots[i];
            batch.stateRoot = stateRoots[i];
            batch.sequenceStart = sequenceStarts[i];
            batch.sequenceEnd = sequenceEnds[i];
            batch.eventCount = eventCounts[i];
            _anchor(batch, sequencer);
        }
        emit BatchAnchored(keccak256(abi.encodePacked(batchIds)), batchIds.length, block.timestamp);
    }

    /// @notice Pins a stream to some of the authorised sequencers, in place of those before; an empty list lets every
    /// authorised one anchor it again. Owner only.
    /// @dev A pinned sequencer that is revoked cannot anchor; a stream whose pinned ones are all revoked waits for others.
    function pinStream(bytes32 tenantId, bytes32 storeId, address[] calldata sequencers) external onlyOwner {
        bytes32 stream = _streamId(tenantId, storeId);
        for (uint256 i = 0; i < sequencers.length; i++) {
            if (!isSequencer(sequencers[i])) revert SequencerNotAuthorized(sequencers[i]);
        }
        _pins[stream] = sequencers;
        _heads[stream].isPinned = sequencers.length != 0;
        emit StreamPinned(tenantId, storeId, sequencers);
    }

    /// @notice The sequencers that a stream is pinned to; none when every authorised one may anchor it.
    function pinnedSequencers(bytes32 tenantId, bytes32 storeId) external view returns (address[] memory) {
        return _pins[_streamId(tenantId, storeId)];
    }

    /// @notice Whether this account may anchor this stream's next batch.
    function mayAnchor(address account, bytes32 tenantId, bytes32 storeId) external view returns (bool) {
        bytes32 stream = _streamId(tenantId, storeId);
        return isSequencer(account) && _isAdmitted(account, stream);
    }

    /// @notice Whether a batch with this id is anchored.
    function isAnchored(bytes32 batchId) external view returns (bool) {
        return _commitments[batchId].eventCount != 0;
    }

    /// @notice How many batches are anchored, of all streams.
    function getAnchoredCount() external view returns (uint256) {
        return _anchoredCount;
    }

    /// @notice The stream's last anchored sequence number; 0 when it has none.
    function getLatestSequence(bytes32 tenantId, bytes32 storeId) external view returns (uint64) {
        return _heads[_streamId(tenantId, storeId)].latestSequence;
    }

    /// @notice The stream's state root after its last anchored batch; zero when it has none.
    function stateRootOf(bytes32 tenantId, bytes32 storeId) external view returns (bytes32) {
        return _heads[_streamId(tenantId, storeId)].stateRoot;
    }

    /// @notice An anchored batch. Reverts with `NotAnchored` when there is none with this id.
    /// @return tenantId As given
    /// @return storeId As given
    /// @return eventsRoot Root of the Merkle tree over its events
    /// @return stateRoot The stream's state root after it
    /// @return sequenceStart Number of its first event
    /// @return sequenceEnd Number of its last event
    /// @return eventCount How many events it has
    /// @return anchoredAt Time of the block, in Unix seconds
    /// @return anchoredBy The sequencer that anchored it, who may have been revoked since
    function getCommitment(bytes32 batchId)
        external
        view
        returns (
            bytes32 tenantId,
            bytes32 storeId,
            bytes32 eventsRoot,
            bytes32 stateRoot,
            uint64 sequenceStart,
            uint64 sequenceEnd,
            uint32 eventCount,
            uint256 anchoredAt,
            address anchoredBy
        )
    {
        Commitment memory found = _commitments[batchId];
        if (found.eventCount == 0) revert NotAnchored(batchId);
        return (
            found.tenant,
            found.store,
            found.eventsRoot,
            found.stateRoot,
            found.sequenceStart,
            found.sequenceStart + (found.eventCount - 1),
            found.eventCount,
            found.anchoredAt,
            _accountOf(found.sequencer)
        );
    }

    /// @notice Whether the batch is anchored with this Merkle root.
    function verifyEventsRoot(bytes32 batchId, bytes32 eventsRoot) external view returns (bool) {
        Commitment storage found = _commitments[batchId];
        return found.eventCount != 0 && found.eventsRoot == eventsRoot;
    }

    /// @notice Whether `leaf` is the leaf at `index` of an anchored batch. False when no such batch is anchored.
    /// @dev Says yes to a batch's real leaves only, each with the path of the tree's full depth. Whoever does not know how
    /// the leaf came about asks {verifyEvent}.
    /// @param leaf From src/ves: `leafHash`
    /// @param index `sequence_number - sequence_start`
    /// @param path The siblings from leaf to root
    function verifyInclusion(bytes32 batchId, bytes32 leaf, uint256 index, bytes32[] calldata path)
        external
        view
        returns (bool)
    {
        Commitment storage found = _commitments[batchId];
        return VesHashes.isIncluded(found.eventsRoot, found.eventCount, leaf, index, path);
    }

    /// @notice Whether an event with this hash and this signature stands at this number of an anchored batch. False when no
    /// such batch is anchored, the number is not in its range, or the signature is not 64 bytes long.
    /// @dev The signature is not verified, which the EVM cannot do for Ed25519 at a sensible price: it is part of the leaf.
    /// @param eventSigningHash Computed from the event itself, VES 2.5
    /// @param signature The agent's, as in the envelope
    /// @param path The siblings from leaf to root
    function verifyEvent(
        bytes32 batchId,
        uint64 sequenceNumber,
        bytes32 eventSigningHash,
        bytes calldata signature,
        bytes32[] calldata path
    ) external view returns (bool) {
        Commitment storage found = _commitments[batchId];
        uint64 sequenceStart = found.sequenceStart;
        if (sequenceNumber < sequenceStart || signature.length != SIGNATURE_LENGTH) return false;
        bytes32 leaf = VesHashes.leaf(found.tenant, found.store, sequenceNumber, eventSigningHash, signature);
        return VesHashes.isIncluded(found.eventsRoot, found.eventCount, leaf, sequenceNumber - sequenceStart, path);
    }

    function _anchor(Batch memory batch, uint32 sequencer) private {
        bytes16 tenant = VesHashes.uuid(batch.tenantId);
        bytes16 store = VesHashes.uuid(batch.storeId);
        Commitment storage commitment = _commitments[batch.batchId];
        if (commitment.eventCount != 0) revert AlreadyAnchored(batch.batchId);
        _requireRange(batch);

        bytes32 stream = VesHashes.streamId(tenant, store);
        Head storage head = _heads[stream];
        if (!_isAdmitted(msg.sender, stream)) revert SequencerNotPinned(batch.batchId, msg.sender);
        uint256 expectedStart = uint256(head.latestSequence) + 1;
        if (batch.sequenceStart != expectedStart) {
            revert UnexpectedStart(batch.batchId, expectedStart, batch.sequenceStart);
        }
        bytes32 expectedRoot = VesHashes.stateRoot(
            stream, head.stateRoot, batch.eventsRoot, batch.sequenceStart, batch.sequenceEnd, batch.eventCount
        );
        if (batch.stateRoot != expectedRoot) {
            revert UnexpectedStateRoot(batch.batchId, expectedRoot, batch.stateRoot);
        }

        head.stateRoot = expectedRoot;
        head.latestSequence = batch.sequenceEnd;
        commitment.eventsRoot = batch.eventsRoot;
        commitment.stateRoot = expectedRoot;
        commitment.tenant = tenant;
        commitment.store = store;
        commitment.sequenceStart = batch.sequenceStart;
        commitment.anchoredAt = uint64(block.timestamp);
        commitment.eventCount = batch.eventCount;
        commitment.sequencer = sequencer;
        _report(batch);
    }

    function _report(Batch memory batch) private {
        emit CommitmentAnchored(
            batch.batchId,
            batch.tenantId,
            batch.storeId,
            batch.eventsRoot,
            batch.stateRoot,
            batch.sequenceStart,
            batch.sequenceEnd,
            batch.eventCount,
            block.timestamp
        );
    }

    /// @dev Whether the stream is not pinned, or pinned to this account among few.
    function _isAdmitted(address account, bytes32 stream) private view returns (bool) {
        if (!_heads[stream].isPinned) return true;
        address[] storage pins = _pins[stream];
        for (uint256 i = 0; i < pins.length; i++) {
            if (pins[i] == account) return true;
        }
        return false;
    }

    function _requireRange(Batch memory batch) private pure {
        if (batch.eventCount == 0) revert EmptyBatch(batch.batchId);
        if (batch.sequenceEnd < batch.sequenceStart) {
            revert EndBeforeStart(batch.batchId, batch.sequenceStart, batch.sequenceEnd);
        }
        uint256 expected = uint256(batch.sequenceEnd) - batch.sequenceStart + 1;
        if (batch.eventCount != expected) revert UnexpectedCount(batch.batchId, expected, batch.eventCount);
    }

    function _requireLength(uint256 expected, uint256 given) private pure {
        if (given != expected) revert UnequalLengths(expected, given);
    }

    function _streamId(bytes32 tenantId, bytes32 storeId) private pure returns (bytes32) {
        return VesHashes.streamId(VesHashes.uuid(tenantId), VesHashes.uuid(storeId));
    }
}
