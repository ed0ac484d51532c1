// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StateSetAnchor} from "../StateSetAnchor.sol";
import {AnchorKit} from "./AnchorKit.sol";

/// @title Random actors on several streams, and what the contract must say afterwards
/// @dev Every call that should succeed must, and every call that should not must not: otherwise the handler reverts.
contract AnchorHandler is AnchorKit {
    uint256 public constant STREAMS = 3;
    uint256 private constant ACTORS = 5;
    uint256 private constant FAULTS = 7;

    /// @dev The last batch of each stream, and all of them in order.
    mapping(uint256 stream => Draft) private last;
    mapping(uint256 stream => bytes32[]) private batchIds;
    mapping(uint256 stream => address) private pinnedTo;
    mapping(address actor => bool) private isAuthorized;
    mapping(bytes32 batchId => address) private anchoredBy;
    uint256 public total;
    uint256 private drafts;

    constructor(StateSetAnchor target) {
        anchored = target;
        (isAuthorized[FIRST], isAuthorized[SECOND]) = (true, true);
    }

    function anchorNext(uint256 who, uint256 where, uint32 count) external {
        (address actor, uint256 stream) = (actorOf(who), where % STREAMS);
        Draft memory draft = next(stream, count);
        require(attempt(actor, draft) == mayAnchor(actor, stream), "anchored exactly by those who may");
        if (mayAnchor(actor, stream)) record(actor, stream, draft);
    }

    function anchorFaulty(uint256 who, uint256 where, uint32 count, uint256 fault, uint64 by) external {
        uint256 stream = where % STREAMS;
        Draft memory draft = next(stream, count);
        fault %= FAULTS;
        by = by % 1000 + 1;
        if (fault == 0) draft.start += by;
        if (fault == 1) (draft.start, draft.end) = (draft.start + by, draft.end + by);
        if (fault == 2) draft.end += by;
        if (fault == 3) draft.count += uint32(by);
        if (fault == 4) draft.eventsRoot = keccak256("forged");
        if (fault == 5) draft.storeId = storeOf(stream + 1);
        if (fault == 6) (draft.start, draft.end) = (draft.start - 1, draft.end - 1);
        // A right root over a wrong range, and over another history where the range is right.
        if (by % 2 == 0 && fault != 4 && fault != 5 && draft.end >= draft.start) {
            draft.stateRoot = rootAfter(last[stream].stateRoot, draft);
        }
        require(!attempt(actorOf(who), draft), "a faulty batch");
    }

    function anchorAgain(uint256 who, uint256 where, uint32 count, uint256 which) external {
        uint256 stream = where % STREAMS;
        if (batchIds[stream].length == 0) return;
        Draft memory draft = next(where, count);
        draft.batchId = batchIds[stream][which % batchIds[stream].length];
        require(!attempt(actorOf(who), draft), "an id twice");
    }

    function setAuthorized(uint256 who, bool value) external {
        address actor = actorOf(who);
        if (isAuthorized[actor] == value) return;
        isAuthorized[actor] = value;
        vm.prank(OWNER);
        if (value) anchored.authorizeSequencer(actor);
        else anchored.revokeSequencer(actor);
    }

    function setPin(uint256 who, uint256 where, bool isPinned) external {
        (address actor, uint256 stream) = (actorOf(who), where % STREAMS);
        if (isPinned && !isAuthorized[actor]) return;
        pinnedTo[stream] = isPinned ? actor : address(0);
        address[] memory sequencers = new address[](isPinned ? 1 : 0);
        if (isPinned) sequencers[0] = actor;
        vm.prank(OWNER);
        anchored.pinStream(TENANT, storeOf(stream), sequencers);
    }

    /// @dev Reverts when a head is not what the accepted batches make.
    function requireHeads() external view {
        for (uint256 stream = 0; stream < STREAMS; stream++) {
            eq(anchored.stateRootOf(TENANT, storeOf(stream)), last[stream].stateRoot, "state root");
            eq(anchored.getLatestSequence(TENANT, storeOf(stream)), last[stream].end, "latest");
        }
        eq(anchored.getAnchoredCount(), total, "count");
    }

    /// @dev Reverts unless each stream's batches, as the contract gives them, make one chain without a gap.
    function requireChains() external view {
        for (uint256 stream = 0; stream < STREAMS; stream++) {
            Draft memory previous = nothing();
            for (uint256 i = 0; i < batchIds[stream].length; i++) {
                Draft memory draft = read(batchIds[stream][i]);
                eq(draft.tenantId, TENANT, "tenant");
                eq(draft.storeId, storeOf(stream), "store");
                eq(draft.start, previous.end + 1, "contiguous");
                eq(draft.end, draft.start + draft.count - 1, "range");
                eq(draft.stateRoot, rootAfter(previous.stateRoot, draft), "chained");
                previous = draft;
            }
            eq(previous.end, last[stream].end, "the last");
        }
    }

    function read(bytes32 batchId) private view returns (Draft memory draft) {
        address by;
        draft.batchId = batchId;
        (draft.tenantId, draft.storeId, draft.eventsRoot, draft.stateRoot, draft.start, draft.end, draft.count,, by) =
            anchored.getCommitment(batchId);
        eq(by, anchoredBy[batchId], "anchored by");
    }

    function next(uint256 stream, uint32 count) private returns (Draft memory) {
        string memory name = vm.toString(++drafts);
        return draftAfter(storeOf(stream % STREAMS), last[stream % STREAMS], count % 5000 + 1, name);
    }

    function record(address actor, uint256 stream, Draft memory draft) private {
        last[stream] = draft;
        batchIds[stream].push(draft.batchId);
        anchoredBy[draft.batchId] = actor;
        total++;
    }

    function attempt(address actor, Draft memory draft) private returns (bool isDone) {
        bytes memory data = abi.encodePacked(StateSetAnchor.anchor.selector, abi.encode(draft));
        vm.prank(actor);
        (isDone,) = address(anchored).call(data);
    }

    function mayAnchor(address actor, uint256 stream) private view returns (bool) {
        return isAuthorized[actor] && (pinnedTo[stream] == address(0) || pinnedTo[stream] == actor);
    }

    function actorOf(uint256 who) private pure returns (address) {
        address[ACTORS] memory actors = [FIRST, SECOND, STRANGER, OWNER, address(0xF3)];
        return actors[who % ACTORS];
    }

    function storeOf(uint256 stream) private pure returns (bytes32) {
        return bytes32(bytes16(uint128(stream % STREAMS + 1)));
    }
}
